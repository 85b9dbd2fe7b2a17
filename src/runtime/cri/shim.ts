/**
 * containerd starts its shim's program for every container, also where that has a shim already, and (before 1.7) calls it once more for every
 * container that has ended and been removed as it should be, to clean up after a shim that might have died; that program then calls the OCI
 * runtime. A shell stands before it. It answers with the address of the shim there is, and looks whether there is anything left to clean up: two
 * Go programs for every container and two calls of the runtime less. upstream: containerd runtime/v2/runc/manager Start, runtime/v2/shim.go cleanupAfterDeadShim.
 */
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { groupAnnotation } from './shim-groups.ts';

const name = 'containerd-shim-runc-v2';

/** Where the shim of the runtime "io.containerd.runc.v2" keeps what it tells the OCI runtime to keep, a directory a container. */
const runtimeState = '/run/containerd/runc';

/** What a bundle's configuration says of the container's place. */
const notes = [groupAnnotation, 'io.kubernetes.cri.sandbox-id'];

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const shimProgram = (real: string, state = runtimeState): string => `#!/bin/sh
# Written by Coxswain; see src/runtime/cri/shim.ts.
namespace= id= option=
for value do
  case $option in -namespace) namespace=$value ;; -id) id=$value ;; esac
  option=$value
done
case $option in
start)
  # Called in the container's bundle, beside those of the others. A container belongs to the shim of its sandbox, a sandbox to that of its group.
  sandbox= group=
  for pair in $(grep -oE '"(${notes.join('|').replaceAll('.', '\\.')})":"[0-9a-f]+"' config.json 2>/dev/null); do
    value=\${pair##*:\\"} value=\${value%\\"}
    case $pair in *sandbox-id*) sandbox=$value ;; *) group=$value ;; esac
  done
  [ "$sandbox" != "$id" ] || sandbox=$group
  address=
  [ -z "$sandbox" ] || { read -r address < "../$sandbox/address"; } 2>/dev/null || :
  if [ -S "\${address#unix://}" ]; then
    printf %s "$address" > address
    printf %s "$address"
    exit 0
  fi
  ;;
delete)
  if [ -n "$id" ] && [ ! -e ${quote(state)}/"$namespace/$id" ]; then
    # A DeleteResponse: exit status 137, as for what was killed. It is read only where nobody saw the container end.
    printf '\\020\\211\\001'
    exit 0
  fi
  ;;
esac
exec ${quote(real)} "$@"
`;

/** Where a program is that is found by this PATH. */
export function onPath(name: string, path: string): string | undefined {
  return path
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
}

/** Writes the program to `folder` and answers the PATH by which containerd finds it first; PATH as it was where there is no shim. */
export function pathWithShim(folder: string, path: string): string {
  const real = onPath(name, path);
  if (real === undefined) return path;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), shimProgram(real), { mode: 0o755 });
  return `${folder}${delimiter}${path}`;
}
