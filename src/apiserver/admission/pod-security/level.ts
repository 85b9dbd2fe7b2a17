import type { FieldError } from '#machinery/status';
import { invalidField } from '#machinery/status';

/** upstream: pod-security-admission/api. */
export const levels = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof levels)[number];

/** A level as one release of Kubernetes understood it: the minor version, or the newest. */
export interface LevelVersion {
  level: Level;
  minor: number | 'latest';
}

export interface Policy {
  enforce: LevelVersion;
  audit: LevelVersion;
  warn: LevelVersion;
}

export const privileged: LevelVersion = { level: 'privileged', minor: 'latest' };
export const openPolicy: Policy = { enforce: privileged, audit: privileged, warn: privileged };

export const labelPrefix = 'pod-security.kubernetes.io/';

export const levelText = ({ level, minor }: LevelVersion): string => `${level}:${minor === 'latest' ? minor : `v1.${minor}`}`;
export const strictness = ({ level }: LevelVersion): number => levels.indexOf(level);
export const sameLevel = (a: LevelVersion, b: LevelVersion): boolean => a.level === b.level && a.minor === b.minor;
export const isOpen = ({ enforce, audit, warn }: Policy): boolean => [enforce, audit, warn].every(({ level }) => level === 'privileged');

/** The policy that a namespace's labels ask for, and what is wrong with them; enforcement fails closed, the rest open. */
export function policyOf(labels: Record<string, string> | undefined, defaults: Policy): { policy: Policy; errors: FieldError[] } {
  const policy: Policy = { enforce: { ...defaults.enforce }, audit: { ...defaults.audit }, warn: { ...defaults.warn } };
  const errors: FieldError[] = [];
  if (!labels) return { policy, errors };
  const refuse = (key: string, value: string, detail: string): void =>
    void errors.push(invalidField(`metadata.labels[${key}]`, value, detail));
  let enforced = false;
  for (const mode of ['enforce', 'audit', 'warn'] as const) {
    const key = `${labelPrefix}${mode}`;
    const level = labels[key];
    if (level !== undefined) {
      const known = levels.find((candidate) => candidate === level);
      policy[mode].level = known ?? (mode === 'enforce' ? 'restricted' : 'privileged');
      if (!known) refuse(key, level, `must be one of ${levels.join(', ')}`);
      else if (mode === 'enforce') enforced = true;
    }
    const version = labels[`${key}-version`];
    if (version === undefined) continue;
    const minor = /^v1\.(0|[1-9][0-9]*)$/.exec(version)?.[1];
    policy[mode].minor = minor === undefined ? 'latest' : Number(minor);
    if (minor === undefined && version !== 'latest') refuse(`${key}-version`, version, 'must be "latest" or "v1.x"');
  }
  // Who enforces is warned as well, unless he says otherwise.
  if (labels[`${labelPrefix}warn`] === undefined && enforced && strictness(policy.enforce) > strictness(policy.warn)) {
    policy.warn.level = policy.enforce.level;
    if (labels[`${labelPrefix}warn-version`] === undefined) policy.warn.minor = policy.enforce.minor;
  }
  return { policy, errors };
}
