import { baselineChecks } from './baseline.ts';
import type { Check, CheckPod, PodSpec, Violation } from './check.ts';
import type { LevelVersion } from './level.ts';
import { restrictedChecks } from './restricted.ts';

/** The newest version that differs from the one before. */
const newest = Math.max(...[...baselineChecks, ...restrictedChecks].flatMap(({ versions }) => versions.map(({ since }) => since)));
const known = new Map<string, readonly CheckPod[]>();

const at = ({ versions }: Check, minor: number): Check['versions'][number] | undefined => versions.findLast(({ since }) => since <= minor);

function checksOf(level: 'baseline' | 'restricted', minor: number): readonly CheckPod[] {
  const key = `${level} ${minor}`;
  let checks = known.get(key);
  if (!checks) {
    const strict = level === 'restricted' ? restrictedChecks.flatMap((check) => at(check, minor) ?? []) : [];
    const overridden = new Set(strict.map(({ overrides }) => overrides));
    const base = baselineChecks.filter(({ id }) => !overridden.has(id)).flatMap((check) => at(check, minor) ?? []);
    checks = [...base, ...strict].map(({ check }) => check);
    known.set(key, checks);
  }
  return checks;
}

/** What a pod does that its level forbids. upstream: pod-security-admission/policy/registry.go. */
export function violations({ level, minor }: LevelVersion, spec: PodSpec, annotations: Readonly<Record<string, string>> = {}): Violation[] {
  if (level === 'privileged') return [];
  const version = minor === 'latest' ? newest : Math.min(minor, newest);
  return checksOf(level, version).flatMap((check) => check(spec, annotations) ?? []);
}

export const reasons = (found: readonly Violation[]): string => found.map(({ reason }) => reason).join(', ');
export const details = (found: readonly Violation[]): string =>
  found.map(({ reason, detail }) => (detail ? `${reason} (${detail})` : reason)).join(', ');
