/**
 * containerd (before 1.7) calls its shim's program once more for every container that has ended and been removed as it should be, to clean up
 * after a shim that might have died; that program then calls the OCI runtime. A shell that looks whether there is anything left to clean up
 * stands before it: two Go programs and two calls of the runtime less for every pod's end. upstream: containerd runtime/v2/shim.go cleanupAfterDeadShim.
 */
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const name = 'containerd-shim-runc-v2';

/** Where the shim of the runtime "io.containerd.runc.v2" keeps what it tells the OCI runtime to keep, a directory a container. */
const runtimeState = '/run/containerd/runc';

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const shimProgram = (real: string, state = runtimeState): string => `#!/bin/sh
# Written by Coxswain; see src/runtime/cri/shim.ts.
if [ "\${*##* }" = delete ]; then
  namespace= id= option=
  for value do
    case $option in -namespace) namespace=$value ;; -id) id=$value ;; esac
    option=$value
  done
  if [ -n "$id" ] && [ ! -e ${quote(state)}/"$namespace/$id" ]; then
    # A DeleteResponse: exit status 137, as for what was killed. It is read only where nobody saw the container end.
    printf '\\020\\211\\001'
    exit 0
  fi
fi
exec ${quote(real)} "$@"
`;

/** Writes the program to `folder` and answers the PATH by which containerd finds it first; PATH as it was where there is no shim. */
export function pathWithShim(folder: string, path: string): string {
  const real = path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  if (real === undefined) return path;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), shimProgram(real), { mode: 0o755 });
  return `${folder}${delimiter}${path}`;
}
