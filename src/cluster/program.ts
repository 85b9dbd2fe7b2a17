/**
 * What a cluster's processes run. In a clone the sources are put into one file first, whenever they have changed, and that file is run: a process that
 * loads 900 files spends twice the processor time of its start on that, and keeps 40 MB of them. `COXSWAIN_SOURCES=1` runs the sources as they stand.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';

const entry = join('src', 'cli', 'main.ts');

/** The path to give to Node in place of `running`, the main program of this process. */
export async function programFor(running: string): Promise<string> {
  // A released bundle, or what an earlier call made.
  if (!running.endsWith(`${sep}${entry}`) || process.env['COXSWAIN_SOURCES']) return running;
  const root = running.slice(0, -entry.length - 1);
  // Here the packages that it does not carry are found as they are by the sources.
  const directory = join(root, 'node_modules', '.cache', 'coxswain');
  const path = join(directory, `${fingerprint(root)}.mjs`);
  if (existsSync(path)) return path;
  try {
    mkdirSync(directory, { recursive: true });
    const making = join(directory, `making-${process.pid}.mjs`);
    const program = await bundleProgram(root, making);
    // What was made of older sources: those who run it have read it.
    for (const file of readdirSync(directory))
      if (!file.startsWith('making-') && file !== program) rmSync(join(directory, file), { force: true });
    renameSync(making, path);
    return path;
  } catch {
    // No bundler, a place that cannot be written, or a mistake in the sources, which they will tell themselves.
    return running;
  }
}

/** Changes whenever a source or an installed package may have. */
function fingerprint(root: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  for (const path of ['package.json', join('node_modules', '.package-lock.json')].map((name) => join(root, name)))
    hash.update(existsSync(path) ? readFileSync(path) : '');
  return hash.digest('hex').slice(0, 16);
}

/** Native, or loaded by name: found beside the bundle. */
export const notBundled = ['lmdb', 'esbuild'];

async function textOf(root: string, entry: string, options: BuildOptions): Promise<string> {
  const { build } = await import('esbuild');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const result = await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'src', 'cli', entry)],
    bundle: true,
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    external: notBundled,
    plugins: [builtIns, json],
    write: false,
    logLevel: 'silent',
    ...options,
    define: { 'process.env.COXSWAIN_VERSION': JSON.stringify(version), ...options.define },
  });
  // A single character beyond ASCII, in a comment or a regular expression (esbuild escapes strings), would double the size of the text in memory.
  return result.outputFiles![0]!.text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Makes the command one ESM file, for a release. Answers its size in bytes. */
export async function bundle(root: string, outfile: string): Promise<number> {
  const text = await textOf(root, 'main.ts', {
    format: 'esm',
    // CommonJS packages inside ask for these.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); const { filename: __filename, dirname: __dirname } = import.meta;",
    },
  });
  writeFileSync(outfile, text);
  return text.length;
}

/** What the program gets from the file that runs it (cli/bundled.ts), under the names that it knows. */
const parametersOfProgram = ['module', 'require', '__filename', '__dirname', '__url', '__resolve'];

/**
 * Makes the command two files: the program, a script whose name tells its text, and beside it `outfile`, the ES module that runs it and keeps what
 * V8 compiled of it. Answers the program's name.
 */
export async function bundleProgram(root: string, outfile: string): Promise<string> {
  const text = await textOf(root, 'command.ts', {
    format: 'cjs',
    define: { 'import.meta.url': '__url', 'import.meta.resolve': '__resolve', 'import.meta.dirname': '__dirname' },
    banner: { js: `(function (${parametersOfProgram.join(', ')}) {` },
    footer: { js: '})' },
  });
  const program = `coxswain-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.js`;
  writeFileSync(join(dirname(outfile), program), text);
  const runner = await textOf(root, 'bundled.ts', { format: 'esm', define: { 'process.env.COXSWAIN_PROGRAM': JSON.stringify(program) } });
  writeFileSync(outfile, runner);
  return program;
}

/** An import of a built-in module reads all its properties at once, which loads what nobody asked for (a WHATWG fetch, for node:http). */
const builtIns: Plugin = {
  name: 'built-ins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'built-in' }));
    build.onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      loader: 'js',
    }));
  },
};

/** Tables as text: V8 makes objects of JSON in a fifth of the time that the same text takes it as code. */
const json: Plugin = {
  name: 'json',
  setup(build) {
    build.onLoad({ filter: /\.json$/ }, ({ path }) => ({
      contents: `module.exports = JSON.parse(${JSON.stringify(JSON.stringify(JSON.parse(readFileSync(path, 'utf8'))))})`,
      loader: 'js',
    }));
  },
};
