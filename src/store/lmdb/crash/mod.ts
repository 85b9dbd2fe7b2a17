/** Crash and disk-fault rounds for the LMDB store: used by tests and scripts/crash-store.ts. Read first: rounds.ts. */
export { crashRounds, deaths } from './rounds.ts';
export type { CrashOptions, Death } from './rounds.ts';
export { FaultyDisk } from './disk.ts';
export { errno } from './errno.ts';
export { mount, whyNoFuse } from './fuse.ts';
export { diskProcess } from './disk-process.ts';
export type { DiskFaults, DiskProcess } from './disk-process.ts';
