/** The `coxswain` command as a person has it, with a home of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface Said {
  code: number;
  /** Both outputs, one after the other. */
  said: string;
}

export class Command {
  /** Where the command is run. */
  readonly directory = mkdtempSync(join(tmpdir(), 'coxswain-test-'));
  readonly home = join(this.directory, 'home');
  /** The cluster, where no other is named. */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** The directory of the cluster. */
  get state(): string {
    return join(this.home, this.name);
  }

  run(...parameters: string[]): Promise<Said> {
    const env = { ...process.env, COXSWAIN_HOME: this.home, COXSWAIN_RUN: join(this.directory, 'run'), COXSWAIN_NAME: this.name };
    return new Promise((resolve) => {
      execFile(join(root, 'coxswain'), parameters, { env, cwd: this.directory, timeout: 120_000 }, (error, stdout, stderr) =>
        resolve({ code: error ? ((error.code as number | undefined) ?? -1) : 0, said: stdout + stderr }),
      );
    });
  }

  /** Runs `up`, which must succeed; answers the API server's address and what was said. */
  async up(...parameters: string[]): Promise<{ server: string; said: string }> {
    const { code, said } = await this.run(...parameters);
    assert.equal(code, 0, said);
    return { server: /https:\/\/127\.0\.0\.1:\d+/.exec(said)![0], said };
  }

  /** It must fail with code 1 and these words, and leave nothing behind. */
  async refuses(parameters: readonly string[], words: RegExp): Promise<void> {
    const { code, said } = await this.run(...parameters);
    assert.match(said, words);
    assert.equal(code, 1);
    const left = readdirSync(this.home).filter((entry) => !entry.startsWith('.'));
    assert.deepEqual(left, [this.name], 'nothing half made');
  }

  async remove(): Promise<void> {
    await this.run('down', '--purge');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
