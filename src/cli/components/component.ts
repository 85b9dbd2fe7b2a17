/** The frame of a standalone component: flags, --help, --version, warnings, log, signals. upstream: component-base/cli/run.go. */
import { systemClock, systemRandom } from '#machinery/clock';
import { Disposables } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import { jsonLog } from '#machinery/log';
import { helpText } from '../flags/help.ts';
import { parseFlags } from '../flags/parse.ts';
import type { FlagStyle, ParsedFlags } from '../flags/parse.ts';
import type { FlagTable } from '../flags/table.ts';

export const kubernetesVersion = 'v1.35.4';

export interface ComponentCommand<T extends FlagTable> {
  /** Upstream's name of the program. */
  name: string;
  /** What --help says first. */
  about: string;
  flags: T;
  /** 'go': as Go's own flag package, where one dash is as good as two. Default: pflag's. */
  flagStyle?: FlagStyle;
  /** What --version prints; default "Kubernetes v1.35.4". */
  version?: string;
  /**
   * Resolves when the component does its work, with undefined where there was nothing but one thing to do. `warn` tells of what was asked for and has no effect (flags are told already);
   * `failed` ends the process: for what cannot be mended, a lost lease.
   */
  start(
    flags: ParsedFlags<T>,
    context: Context,
    tell: { warn(text: string): void; failed(error: Error): void },
  ): Promise<Running | undefined>;
}

/** Runs until SIGTERM or SIGINT; answers the exit code. */
export async function runComponent<T extends FlagTable>(command: ComponentCommand<T>, parameters: readonly string[]): Promise<number> {
  let flags: ParsedFlags<T>;
  try {
    flags = parseFlags(command.name, command.flags, parameters, command.flagStyle);
  } catch (error) {
    process.stderr.write(`Error: ${(error as Error).message}\n`);
    return 1;
  }
  if (flags.help) {
    process.stdout.write(helpText(command.name, command.about, command.flags));
    return 0;
  }
  if (flags.version !== false) {
    process.stdout.write(`${command.version ?? `Kubernetes ${kubernetesVersion}`}\n`);
    return 0;
  }
  const warn = (text: string): void => void process.stderr.write(`Warning: ${text}\n`);
  for (const warning of flags.warnings) warn(warning);

  const verbosity = (flags.values as { v?: number }).v ?? 0;
  const log = jsonLog(
    (line) => void process.stderr.write(line),
    verbosity >= 4 ? 'debug' : 'info',
    () => systemClock.now(),
  );
  const stopping = new AbortController();
  const context: Context = { clock: systemClock, random: systemRandom, log, signal: stopping.signal };
  const held = new Disposables();
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      log.info('Stopping', { signal });
      // Who starts and is told to stop gives up at once.
      stopping.abort(new Error(`stopped by ${signal}`));
      end(0);
    });
  // The clock's timers do not keep a process alive; while this port is open, it lives.
  const alive = new MessageChannel().port1;
  alive.ref();
  held.add(() => alive.close());
  let code: number;
  try {
    const running = await command.start(flags, context, {
      warn,
      failed: (error) => {
        log.error('Cannot go on', { error });
        end(1);
      },
    });
    if (running) held.add(() => running.stop());
    code = running ? await ended : 0;
  } catch (error) {
    code = stopping.signal.aborted ? 0 : 1;
    if (code !== 0) process.stderr.write(`Error: ${(error as Error).message}\n`);
  }
  stopping.abort(new Error('stopping'));
  await held.dispose();
  if (code === 0) log.info('Stopped');
  // Connections that others keep open end with the process.
  process.exit(code);
}
