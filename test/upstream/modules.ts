/** Upstream's sources, where the Go modules are on this machine. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

function cache(): string | undefined {
  try {
    return process.env['GOMODCACHE'] ?? execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** The directory of "k8s.io/api@v0.35.4"; undefined where it is not there. */
export function moduleDirectory(name: string): string | undefined {
  const modules = cache();
  const directory = modules && join(modules, name);
  return directory && existsSync(directory) ? directory : undefined;
}
