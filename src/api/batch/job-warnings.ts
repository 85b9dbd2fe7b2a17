/** upstream: pkg/api/job/warnings.go. */
import { warningsForPodTemplate } from '../core/pod-warnings.ts';
import type { JobSpec } from '../facts/types.ts';

const manyCompletions = 100_000;
const highParallelism = 10_000;

export function warningsForJobSpec(spec: JobSpec, path: string): string[] {
  const texts: string[] = [];
  if (spec.completionMode === 'Indexed' && (spec.completions ?? 0) > manyCompletions && (spec.parallelism ?? 0) > highParallelism)
    texts.push(
      `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
    );
  return [...texts, ...warningsForPodTemplate(spec.template, `${path}.template`)];
}
