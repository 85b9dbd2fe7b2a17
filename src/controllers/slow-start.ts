/**
 * Runs `attempt` `count` times in batches of 1, 2, 4, …, each batch at once; stops after a batch with a failure, so that a quota that refuses
 * one is not asked five hundred times. upstream: pkg/controller/replicaset slowStartBatch.
 */
export async function slowStart(
  count: number,
  attempt: (index: number) => Promise<void>,
  firstBatch = 1,
): Promise<{ succeeded: number; error: unknown }> {
  let succeeded = 0;
  let begun = 0;
  for (let size = Math.min(count, firstBatch); size > 0; size = Math.min(2 * size, count - begun)) {
    const from = begun;
    const results = await Promise.allSettled(Array.from({ length: size }, (_, index) => attempt(from + index)));
    begun += size;
    const failed = results.find((result) => result.status === 'rejected');
    succeeded += results.filter((result) => result.status === 'fulfilled').length;
    if (failed) return { succeeded, error: failed.reason };
  }
  return { succeeded, error: undefined };
}

/** Waits for all, then throws the first failure. */
export async function all(attempts: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(attempts)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
