/** Programs of the machine (nft, ip, conntrack) and its kernel settings, as arguments: tests put their own in place, or run them in a namespace. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';

export interface Machine {
  /** Runs a program to its end and answers what it printed. Rejects with what it said on stderr when it fails. */
  run(command: string, args: readonly string[], stdin?: string): Promise<string>;
  /** Reads and writes a kernel setting: "net/ipv4/ip_forward". */
  sysctl(name: string, value: string): Promise<void>;
}

export class CommandError extends Error {
  readonly code: number | null;
  constructor(message: string, code: number | null, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.code = code;
  }
}

/** The machine (network namespace) this process is in; or, with `prefix`, another: ["ip", "netns", "exec", "name"]. */
export function localMachine(prefix: readonly string[] = []): Machine {
  const run: Machine['run'] = (command, args, stdin) => {
    const [program = command, ...rest] = [...prefix, command, ...args];
    return new Promise((resolve, reject) => {
      const child = spawn(program, rest, { stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
      let out = '';
      let said = '';
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
      child.on('error', (error) => reject(new CommandError(`Cannot run ${command}: ${error.message}`, null, { cause: error })));
      child.on('close', (code) => {
        if (code === 0) resolve(out);
        else reject(new CommandError(`${command} ${args.join(' ')} failed with ${code}: ${said.trim() || out.trim()}`, code));
      });
      // A program that ends before it has read everything says so by its exit code.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(stdin);
    });
  };
  return {
    run,
    async sysctl(name, value) {
      if (prefix.length) {
        await run('sysctl', ['-q', '-w', `${name}=${value}`]);
        return;
      }
      const path = `/proc/sys/${name}`;
      if ((await readFile(path, 'utf8')).trim() !== value) await writeFile(path, value);
    },
  };
}
