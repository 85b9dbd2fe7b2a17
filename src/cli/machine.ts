import { runMachine } from '#cluster';

/** The process of one machine; runs until it is told to stop. */
export async function machine(parameters: string[], options: Record<string, unknown>): Promise<void> {
  await runMachine(parameters[0]!, Number(parameters[1]), {
    images: [options['image'] ?? []].flat() as string[],
    // Tables of hundreds of flags, which most clusters do without.
    parts: async (given) => (Object.keys(given).length > 0 ? (await import('./components/part-arguments.ts')).partSettings(given) : {}),
  });
}
