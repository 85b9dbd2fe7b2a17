import { library } from '../check/declarations.ts';
import { struct } from '../types.ts';
import { CelError } from '../values/scalars.ts';
import { Opaque } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** Semantic versions. upstream: apiserver/pkg/cel/library/semverlib.go. */

export const semverType = struct('kubernetes.Semver');

interface Version {
  numbers: readonly [bigint, bigint, bigint];
  pre: readonly string[];
  build: readonly string[];
}

export class SemverValue extends Opaque {
  readonly type = semverType;
  readonly version: Version;
  constructor(version: Version) {
    super();
    this.version = version;
  }
  equals(other: Value): boolean {
    return other instanceof SemverValue && compareVersions(this.version, other.version) === 0;
  }
  toString(): string {
    const { numbers, pre, build } = this.version;
    return numbers.join('.') + (pre.length ? `-${pre.join('.')}` : '') + (build.length ? `+${build.join('.')}` : '');
  }
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

function compareVersions(a: Version, b: Version): -1 | 0 | 1 {
  for (const [index, number] of a.numbers.entries()) if (number !== b.numbers[index]) return number < b.numbers[index]! ? -1 : 1;
  // A version before its release comes before it.
  if (a.pre.length === 0 || b.pre.length === 0) return a.pre.length === b.pre.length ? 0 : a.pre.length ? -1 : 1;
  for (const [index, part] of a.pre.entries()) {
    const other = b.pre[index];
    if (other === undefined) return 1;
    if (part === other) continue;
    if (isNumber(part) !== isNumber(other)) return isNumber(part) ? -1 : 1;
    return (isNumber(part) ? BigInt(part) < BigInt(other) : part < other) ? -1 : 1;
  }
  return a.pre.length < b.pre.length ? -1 : 0;
}

/** Versions as people write them: v1.2, 01.2.3. */
function normalized(text: string): string | CelError {
  const plain = text.trim().replace(/^v/, '');
  const parts = plain.split('.');
  const last = parts.slice(2).join('.');
  const numbers = parts.slice(0, 2).map((part) => part.replace(/^0+(?=\d)/, ''));
  if (parts.length < 3) {
    if (/[+-]/.test(parts.at(-1)!)) return new CelError('short version cannot contain PreRelease/Build meta data');
    while (numbers.length < 3) numbers.push('0');
    return numbers.join('.');
  }
  return [...numbers, last.replace(/^0+(?=\d)/, '')].join('.');
}

function parse(text: string, normalize = false): Value {
  const plain = normalize ? normalized(text) : text;
  if (plain instanceof CelError) return plain;
  if (plain === '') return new CelError('Version string empty');
  const parts = plain.split('.');
  if (parts.length < 3) return new CelError('No Major.Minor.Patch elements found');
  const match = /^(\d+)\.(\d+)\.(\d+)(?:-([^+]*))?(?:\+(.*))?$/.exec(plain);
  if (!match) return new CelError(`Invalid character(s) found in version ${JSON.stringify(plain)}`);
  const numbers = match.slice(1, 4);
  for (const [index, number] of numbers.entries())
    if (/^0\d/.test(number))
      return new CelError(`${['Major', 'Minor', 'Patch'][index]} number must not contain leading zeroes ${JSON.stringify(number)}`);
  const pre = match[4]?.split('.') ?? [];
  const build = match[5]?.split('.') ?? [];
  for (const part of pre) {
    if (part === '') return new CelError('Prerelease is empty');
    if (!/^[0-9A-Za-z-]+$/.test(part)) return new CelError(`Invalid character(s) found in prerelease ${JSON.stringify(part)}`);
    if (/^0\d+$/.test(part)) return new CelError(`Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(part)}`);
  }
  for (const part of build) {
    if (part === '') return new CelError('Build meta data is empty');
    if (!/^[0-9A-Za-z-]+$/.test(part)) return new CelError(`Invalid character(s) found in build meta data ${JSON.stringify(part)}`);
  }
  return new SemverValue({ numbers: numbers.map(BigInt) as unknown as Version['numbers'], pre, build });
}

const is = (text: string, normalize = false): boolean => parse(text, normalize) instanceof SemverValue;

export const semverLibrary = library(
  `
.compareTo semver_compare_to(kubernetes.Semver, kubernetes.Semver) -> int
.isGreaterThan semver_is_greater_than(kubernetes.Semver, kubernetes.Semver) -> bool
.isLessThan semver_is_less_than(kubernetes.Semver, kubernetes.Semver) -> bool
isSemver is_semver_string(string) -> bool
isSemver is_semver_string_bool(string, bool) -> bool
.major semver_major(kubernetes.Semver) -> int
.minor semver_minor(kubernetes.Semver) -> int
.patch semver_patch(kubernetes.Semver) -> int
semver string_to_semver(string) -> kubernetes.Semver
semver string_bool_to_semver(string, bool) -> kubernetes.Semver
`,
  {
    string_to_semver: (text: string) => parse(text),
    string_bool_to_semver: parse,
    is_semver_string: (text: string) => is(text),
    is_semver_string_bool: is,
    semver_major: (value: SemverValue) => value.version.numbers[0],
    semver_minor: (value: SemverValue) => value.version.numbers[1],
    semver_patch: (value: SemverValue) => value.version.numbers[2],
    semver_compare_to: (a: SemverValue, b: SemverValue) => BigInt(compareVersions(a.version, b.version)),
    semver_is_greater_than: (a: SemverValue, b: SemverValue) => compareVersions(a.version, b.version) > 0,
    semver_is_less_than: (a: SemverValue, b: SemverValue) => compareVersions(a.version, b.version) < 0,
  },
);
