/** Linux's numbers of the failures that are injected. */
export const errno = { ENOENT: 2, EIO: 5, ENOSPC: 28, ENOSYS: 38 } as const;
