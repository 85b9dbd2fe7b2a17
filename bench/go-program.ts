/** Load generators written in Go, with the clients that the servers were made for. */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tools } from '../conformance/upstream/programs.ts';

/** The path of a program, built from `source`, a folder with a main.go, where that is newer. */
export function goProgram(name: string, source: string): string {
  const program = join(tools, 'bin', name);
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(join(source, 'main.go')).mtimeMs)
    execFileSync('go', ['build', '-o', program, '.'], {
      cwd: source,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, CGO_ENABLED: '0' },
    });
  return program;
}
