/** What a simulated container answers to a command: those few whose answer is plain from their words. */
import { PassThrough } from 'node:stream';
import type { RemoteChannels, RemoteCommand } from '../contract.ts';

/** The words of a command, without its folder and without a shell around a line that needs none. */
export function plainWords(command: readonly string[]): string[] {
  const [program = '', flag, line = ''] = command;
  const name = program.replace(/^.*\//, '');
  if (!['sh', 'bash', 'ash'].includes(name) || flag !== '-c') return [name, ...command.slice(1)];
  return /['"$`\\|&;<>()*?[\]{}#~]/.test(line) ? [name, ...command.slice(1)] : line.trim().split(/\s+/);
}

const success = { metadata: {}, status: 'Success' };

/** upstream: kubelet/pkg/cri/streaming/remotecommand/exec.go. */
const exited = (command: readonly string[], code: number): Record<string, unknown> =>
  code === 0
    ? success
    : {
        metadata: {},
        status: 'Failure',
        reason: 'NonZeroExitCode',
        message: `command terminated with non-zero exit code: error executing command [${command.join(' ')}], exit code ${code}`,
        details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
      };

/** Undefined for commands whose answer would have to be made up. `cat` gives back its input; `echo`, `true`, `false` and `exit` are themselves. */
export function playCommand(command: readonly string[], channels: RemoteChannels): RemoteCommand | undefined {
  const [word, ...rest] = plainWords(command);
  const stdout = new PassThrough();
  const play = (code: number, text = ''): RemoteCommand => {
    stdout.end(text);
    return {
      stdin: undefined,
      stdout,
      stderr: undefined,
      resize: () => undefined,
      done: Promise.resolve(exited(command, code)),
      close: () => undefined,
    };
  };
  switch (word) {
    case 'true':
      return play(0);
    case 'false':
      return play(1);
    case 'exit':
      return play(Number(rest[0] ?? 0) & 255);
    case 'echo':
      return play(0, `${rest.join(' ')}\n`);
    case 'cat': {
      if (rest.length > 0) return undefined;
      if (!channels.stdin) return play(0);
      const done = new Promise<Record<string, unknown>>((resolve) => stdout.once('end', () => resolve(success)));
      return { stdin: stdout, stdout, stderr: undefined, resize: () => undefined, done, close: () => void stdout.destroy() };
    }
    default:
      return undefined;
  }
}
