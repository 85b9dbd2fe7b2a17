/** `npm run build`: the command as one ESM file, dist/coxswain.mjs, with the packages it cannot carry (native, or loaded by name) beside it. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const out = join(root, 'dist');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const { version, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  engines: Record<string, string>;
};
const external = ['lmdb'];
const result = await build({
  entryPoints: [join(root, 'src/cli/main.ts')],
  outfile: join(out, 'coxswain.mjs'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  minifySyntax: true,
  external,
  metafile: true,
  define: { 'process.env.COXSWAIN_VERSION': JSON.stringify(version) },
  // CommonJS packages inside ask for these.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); import { fileURLToPath as __fileURLToPath } from 'node:url'; const __filename = __fileURLToPath(import.meta.url); const __dirname = __filename.slice(0, __filename.lastIndexOf('/'));",
  },
  logLevel: 'warning',
});
cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'));
const dependencies = Object.fromEntries(
  external.map((name) => [
    name,
    (JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version,
  ]),
);
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify({ name: 'coxswain', version, type: 'module', license: 'Apache-2.0', engines, bin: { coxswain: './coxswain.mjs' }, dependencies }, null, 2)}\n`,
);
const said = execFileSync(process.execPath, [join(out, 'coxswain.mjs'), 'version'], { encoding: 'utf8' });
console.log(
  `${Object.values(result.metafile.outputs)[0] ? (Object.values(result.metafile.outputs)[0]!.bytes / 2 ** 20).toFixed(1) : '?'} MiB in dist/coxswain.mjs: ${said.trim()}`,
);
