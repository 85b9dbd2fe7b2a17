/** The coxswain command as `bundle` of #cluster makes it (coxswain.mjs): runs the program that lies beside it, with what was compiled of it before. */
import { createRequire, getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { systemClock } from '#machinery/clock';
import { keptScript } from './kept-code.ts';

/** What the program takes from its surroundings, since it is no module. In the order of `parametersOfProgram` of #cluster. */
type Program = (
  module: { exports: { run?: () => Promise<void> } },
  require: NodeJS.Require,
  filename: string,
  dirname: string,
  url: string,
  resolve: (specifier: string) => string,
) => void;

const file = join(import.meta.dirname, process.env['COXSWAIN_PROGRAM']!);
const directory = getCompileCacheDir();
const script = keptScript({
  file,
  // Each subcommand calls other functions.
  ...(directory !== undefined && { kept: join(directory, `${process.env['COXSWAIN_PROGRAM']}-${process.argv[2]?.replace(/\W/g, '_')}`) }),
  clock: systemClock,
  process,
});
const module: Parameters<Program>[0] = { exports: {} };
const program = script.runInThisContext() as Program;
program(module, createRequire(import.meta.url), import.meta.filename, import.meta.dirname, import.meta.url, (specifier) =>
  import.meta.resolve(specifier),
);
await module.exports.run!();
