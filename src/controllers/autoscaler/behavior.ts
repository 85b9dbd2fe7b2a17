import type { HorizontalPodAutoscaler } from '#api';

type Behavior = NonNullable<NonNullable<HorizontalPodAutoscaler['spec']>['behavior']>;
type Rules = NonNullable<Behavior['scaleUp']>;

const defaults: { up: Required<Omit<Rules, 'tolerance'>>; down: Required<Omit<Rules, 'tolerance'>> } = {
  up: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  down: { stabilizationWindowSeconds: 300, selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
};

interface Moment {
  at: number;
  value: number;
}

/** What an autoscaler remembers of one target. */
export interface Memory {
  recommendations: Moment[];
  /** Replicas added (above zero) or taken away. */
  changes: Moment[];
}

export interface Decision {
  replicas: number;
  ableReason: string;
  ableMessage: string;
  limited: boolean;
  reason: string;
  message: string;
}

const longest = 60 * 60_000;

/** Remembers a change of size. */
export function noteChange(memory: Memory, now: number, difference: number): void {
  memory.changes = [...memory.changes.filter(({ at }) => at > now - longest), { at: now, value: difference }];
}

/** The size at which a policy's period began. */
const startOfPeriod = (memory: Memory, current: number, seconds: number, now: number): number =>
  memory.changes.filter(({ at }) => at > now - seconds * 1000).reduce((size, { value }) => size - value, current);

/** A recommendation, held back by what was recommended lately and by how fast the size may change. upstream: horizontal.go normalizeDesiredReplicasWithBehaviors. */
export function restrain(
  behavior: Behavior | undefined,
  memory: Memory,
  { current, desired, least, most }: { current: number; desired: number; least: number; most: number },
  now: number,
): Decision {
  const up = { ...defaults.up, ...behavior?.scaleUp };
  const down = { ...defaults.down, ...behavior?.scaleDown };
  const recent = (seconds: number): number[] =>
    memory.recommendations.filter(({ at }) => at > now - seconds * 1000).map(({ value }) => value);
  const lowest = Math.min(desired, ...recent(up.stabilizationWindowSeconds));
  const highest = Math.max(desired, ...recent(down.stabilizationWindowSeconds));
  const window = Math.max(up.stabilizationWindowSeconds, down.stabilizationWindowSeconds) * 1000;
  memory.recommendations = [...memory.recommendations.filter(({ at }) => at >= now - window), { at: now, value: desired }];
  const stable = Math.min(Math.max(current, lowest), highest);
  const rising = desired >= current;
  const able =
    stable === desired
      ? { ableReason: 'ReadyForNewScale', ableMessage: 'recommended size matches current size' }
      : {
          ableReason: rising ? 'ScaleUpStabilized' : 'ScaleDownStabilized',
          ableMessage: rising
            ? 'recent recommendations were lower than current one, applying the lowest recent recommendation'
            : 'recent recommendations were higher than current one, applying the highest recent recommendation',
        };
  const limits = (rules: typeof up, sign: 1 | -1): number => {
    if (rules.selectPolicy === 'Disabled') return current;
    const proposals = rules.policies.map(({ type, value, periodSeconds }) => {
      const start = startOfPeriod(memory, current, periodSeconds, now);
      if (type === 'Pods') return start + sign * value;
      return sign > 0 ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100));
    });
    // "Min" is the smallest change, in either direction.
    const choose = (rules.selectPolicy === 'Min') === sign > 0 ? Math.min : Math.max;
    return choose(...proposals);
  };
  if (stable > current) {
    const limit = Math.max(limits(up, 1), current);
    const allowed = Math.min(most, limit);
    if (stable > allowed)
      return {
        ...able,
        replicas: allowed,
        limited: true,
        ...(most > limit
          ? { reason: 'ScaleUpLimit', message: 'the desired replica count is increasing faster than the maximum scale rate' }
          : { reason: 'TooManyReplicas', message: 'the desired replica count is more than the maximum replica count' }),
      };
  } else if (stable < current) {
    const limit = Math.min(limits(down, -1), current);
    const allowed = Math.max(least, limit);
    if (stable < allowed)
      return {
        ...able,
        replicas: allowed,
        limited: true,
        ...(least < limit
          ? { reason: 'ScaleDownLimit', message: 'the desired replica count is decreasing faster than the maximum scale rate' }
          : { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' }),
      };
  }
  return {
    ...able,
    replicas: stable,
    limited: false,
    reason: 'DesiredWithinRange',
    message: 'the desired count is within the acceptable range',
  };
}
