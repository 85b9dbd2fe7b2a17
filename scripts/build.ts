/** `npm run build`: the command as one file, dist/coxswain.mjs, with the packages that it cannot carry (native, or loaded by name) beside it. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '#cluster';

const root = join(import.meta.dirname, '..');
const out = join(root, 'dist');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const packageOf = (directory: string): { version: string; engines: Record<string, string>; dependencies: Record<string, string> } =>
  JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
const { version, engines } = packageOf(root);
const bytes = await bundle(root, join(out, 'coxswain.mjs'));
cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'));
const dependencies = { lmdb: packageOf(join(root, 'node_modules/lmdb')).version };
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify({ name: 'coxswain', version, type: 'module', license: 'Apache-2.0', engines, bin: { coxswain: './coxswain.mjs' }, dependencies }, null, 2)}\n`,
);
const said = execFileSync(process.execPath, [join(out, 'coxswain.mjs'), 'version'], { encoding: 'utf8' });
console.log(`${(bytes / 2 ** 20).toFixed(1)} MiB in dist/coxswain.mjs: ${said.trim()}`);
