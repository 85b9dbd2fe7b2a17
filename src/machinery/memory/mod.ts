/**
 * Memory that the system gets back when it is told so by calls that Node has no functions for. They are made through Node's FFI, which is
 * experimental: where it is missing, or the C library has no such call, or there is no /proc, memory is given back later or not at all.
 */
import { readFileSync, realpathSync } from 'node:fs';

interface Calls {
  madvise(address: bigint, length: bigint, advice: number): number;
  malloc_trim(padding: bigint): number;
}

/** madvise: the pages are not needed for now. Those of a shared mapping of a file lose nothing by it: they are in the file. */
const dontNeed = 4;

let known: Calls | null | undefined;
const calls = (): Calls | null => (known === undefined ? (known = find()) : known);

function find(): Calls | null {
  try {
    const { functions } = process.getBuiltinModule('node:ffi').dlopen(null, {
      madvise: { arguments: ['uint64', 'uint64', 'int32'], return: 'int32' },
      malloc_trim: { arguments: ['uint64'], return: 'int32' },
    });
    return functions;
  } catch {
    return null;
  }
}

/** What was freed, buffers above all, the C library keeps where something that is in use lies behind it; takes some milliseconds. */
export function releaseFreed(): void {
  calls()?.malloc_trim(0n);
}

/**
 * Pages of a file that this process has mapped and looked at no longer count as its own: they come back from the system's cache when they are
 * looked at again.
 */
export function releaseMapped(file: string): void {
  const system = calls();
  if (system) for (const { start, end } of mappings(file)) system.madvise(start, end - start, dontNeed);
}

/** Where a file is mapped, shared. For use at once: when others have had their turn, their memory may lie there. */
function mappings(file: string): { start: bigint; end: bigint }[] {
  let table: string;
  let path: string;
  try {
    table = readFileSync('/proc/self/maps', 'latin1');
    path = Buffer.from(realpathSync(file)).toString('latin1');
  } catch {
    return [];
  }
  const found: { start: bigint; end: bigint }[] = [];
  for (const line of table.split('\n')) {
    const range = line.endsWith(` ${path}`) && /^([0-9a-f]+)-([0-9a-f]+) ...s /.exec(line);
    if (range) found.push({ start: BigInt(`0x${range[1]}`), end: BigInt(`0x${range[2]}`) });
  }
  return found;
}
