/** `npm run bench -- <name>`: one file a measurement. */
const name = process.argv[2] ?? 'cluster';
const known = ['cluster', 'store'];
if (!known.includes(name)) {
  console.error(`Cannot measure ${name}: there are ${known.join(', ')}`);
  process.exit(1);
}
await import(`./${name}.ts`);
