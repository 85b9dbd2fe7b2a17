import { isConflict } from '#machinery/status';

/** Runs `attempt` again (at most five times in all) while it fails with a Conflict: it must read anew each time. upstream: client-go util/retry. */
export async function retryOnConflict<T>(attempt: () => Promise<T>, tries = 5): Promise<T> {
  for (let left = tries - 1; ; left--)
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error) || left <= 0) throw error;
    }
}
