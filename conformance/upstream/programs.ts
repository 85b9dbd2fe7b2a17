/**
 * Upstream's programs as processes: found where `conformance/tools/build.sh peers` puts them, started inside a network namespace, each with a
 * log of its own, and ended by their pids. They outlive the command that started them, so that `down` of a later one can end them.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** Where the suite, upstream's programs and the images are built to. */
export const tools = process.env['COXSWAIN_CONFORMANCE'] ?? join(homedir(), '.cache/coxswain-conformance');

export const hasProgram = (name: string): boolean => existsSync(join(tools, 'bin', name));

export function program(name: string): string {
  const path = join(tools, 'bin', name);
  if (!existsSync(path))
    throw new Error(`Cannot run upstream's ${name}: ${path} is missing; build it with conformance/tools/build.sh peers`);
  return path;
}

/** Programs of Coxswain's in place of upstream's: the standalone components take the same flags. */
export type Ours = ReadonlySet<string>;

/** The command of one of upstream's programs, or of ours of the same name. */
export const commandOf = (name: string, ours: Ours = new Set()): string[] =>
  ours.has(name) ? [process.execPath, '--no-warnings', join(import.meta.dirname, '../../src/cli/main.ts'), name] : [program(name)];

/** Clock ticks since boot at which a process started; undefined when it has ended. A pid alone may be another's by now. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export class Programs {
  readonly directory: string;
  readonly #record: string;

  constructor(directory: string) {
    this.directory = directory;
    this.#record = join(directory, 'pids');
    mkdirSync(directory, { recursive: true });
  }

  log(name: string): string {
    return join(this.directory, `${name}.log`);
  }

  /** Starts a program in a session of its own. The command replaces itself (nsenter, exec), so that the pid is the program's. */
  start(name: string, command: string[], env: NodeJS.ProcessEnv = process.env): number {
    const log = openSync(this.log(name), 'a');
    const child = spawn(command[0]!, command.slice(1), { detached: true, stdio: ['ignore', log, log], env });
    closeSync(log);
    // A program that is missing shows when it is waited for; its log is empty then.
    child.on('error', (error) => appendFileSync(this.log(name), `${error.message}\n`));
    child.unref();
    if (child.pid === undefined) throw new Error(`Cannot start ${name}: ${command[0]} does not run`);
    appendFileSync(this.#record, `${name} ${child.pid} ${startTime(child.pid) ?? ''}\n`);
    return child.pid;
  }

  /** The pids of what runs, by name. */
  running(): Map<string, number> {
    const found = new Map<string, number>();
    if (!existsSync(this.#record)) return found;
    for (const line of readFileSync(this.#record, 'utf8').split('\n')) {
      const [name, pid, started] = line.split(' ');
      if (name && startTime(Number(pid)) === started) found.set(name, Number(pid));
    }
    return found;
  }

  /** Resolves once `answered` says true; rejects with the log's end when the program ends first. */
  async until(name: string, answered: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while (!(await answered())) {
      if (!this.running().has(name)) throw new Error(`Cannot start ${name}: it ended: ${this.#end(name)}`);
      if (performance.now() > deadline) throw new Error(`Cannot start ${name}: it did not answer within ${seconds} s: ${this.#end(name)}`);
      await wait(20);
    }
  }

  #end(name: string): string {
    return existsSync(this.log(name)) ? readFileSync(this.log(name), 'utf8').trimEnd().split('\n').slice(-3).join(' | ') : '';
  }

  /** Ends one program with what it started. */
  async stop(name: string): Promise<void> {
    const pid = this.running().get(name);
    if (pid === undefined) return;
    kill(-pid);
    while (this.running().get(name) === pid) await wait(10);
  }

  async stopAll(): Promise<void> {
    for (const name of [...this.running().keys()].reverse()) await this.stop(name);
    rmSync(this.#record, { force: true });
  }
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
