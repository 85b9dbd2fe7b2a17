/**
 * Requests made by chance, beyond the corpus: several things at once that it tries one by one, in objects, patches of each type and
 * applies by several managers. The same seed makes the same requests.
 */
import { seededRandom } from '#machinery/clock';
import { nameOf, objectOf, pathOf, samples } from './kinds.ts';
import type { Json, Sample } from './kinds.ts';
import { insteadOf, paths, valueAt, withValue } from './mutations.ts';
import type { Path } from './mutations.ts';
import { richSamples } from './rich.ts';
import { namespaceOf, patch, post, put, remove } from './scenario.ts';
import type { Scenario, Step } from './scenario.ts';

const perSample = 20;

/** What is at a path; undefined where the way there ends before. */
const found = (object: Json, path: Path): unknown =>
  path.reduce<unknown>((at, key) => (at as Json | null | undefined)?.[key as string], object);

/** Only what is at these paths, with the containers around it. */
function part(object: Json, kept: readonly Path[]): Json {
  const made: Json = {};
  for (const path of kept) {
    let at: Record<string | number, unknown> = made;
    for (const [index, key] of path.entries()) {
      if (typeof at !== 'object' || at === null) break;
      if (index === path.length - 1) at[key] = structuredClone(found(object, path));
      else at = (at[key] ??= typeof path[index + 1] === 'number' ? [] : {}) as Record<string, unknown>;
    }
  }
  return made;
}

function scenario(sample: Sample, title: string, seed: number): Scenario {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!;
  const some = <T>(from: readonly T[], most: number): T[] =>
    from.length > 0 ? Array.from({ length: 1 + Math.floor(random.next() * most) }, () => pick(from)) : [];
  const base = `x-${sample.fact.resource.slice(0, 20)}`;
  const namespace = namespaceOf(title);
  const whole = objectOf(sample, base, namespace, sample.metadata);
  const path = pathOf(sample, namespace);
  const one = `${path}/${encodeURIComponent(nameOf(sample, base))}`;
  const tried = paths(whole).filter(([first]) => first !== 'kind' && first !== 'apiVersion' && first !== 'metadata');

  /** Two or three changes at once, of what is still there. */
  const changed = (): Json => {
    let object = whole;
    for (const at of some(tried, 3)) {
      const inside = found(object, at.slice(0, -1));
      if (typeof inside !== 'object' || inside === null || !(at.at(-1)! in inside)) continue;
      const others: unknown[] = [undefined, null, ...insteadOf(valueAt(object, at)).map(([, value]) => value)];
      object = withValue(object, at, pick(others));
    }
    if (random.next() < 0.2) object = { ...object, [pick(['unknown', 'status', 'spec', 'metadatas'])]: pick<unknown>([{}, 'x', [], null]) };
    return object;
  };
  const options = (): string => {
    const validation = pick(['', '', '&fieldValidation=Strict', '&fieldValidation=Ignore']);
    return `dryRun=All${validation}`;
  };
  const step = (name: string): Step => {
    const chosen = some(tried, 3);
    switch (pick(['create', 'update', 'merge', 'strategic', 'json', 'apply'] as const)) {
      case 'create':
        return post(name, `${path}?${options()}`, changed());
      case 'update':
        return put(name, `${one}?${options()}`, changed());
      case 'merge':
        return patch(name, `${one}?${options()}`, 'merge', part(changed(), chosen));
      case 'strategic':
        return patch(name, `${one}?${options()}`, 'strategic', part(whole, chosen));
      case 'json': {
        const operations = chosen.map((at) => ({
          op: pick(['add', 'replace', 'remove', 'test']),
          path: `/${at.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`,
          value: pick([null, ...insteadOf(valueAt(whole, at)).map(([, value]) => value), valueAt(whole, at)]),
        }));
        return patch(name, `${one}?${options()}`, 'json', operations);
      }
      case 'apply': {
        const { kind, apiVersion, metadata } = whole as { kind: string; apiVersion: string; metadata: Json };
        const applied = { kind, apiVersion, metadata: { name: metadata['name'] }, ...part(whole, chosen) };
        return patch(name, `${one}?fieldManager=${pick(['m', 'n'])}&force=${pick(['true', 'false'])}`, 'apply', applied);
      }
    }
  };
  return {
    name: title,
    namespace: sample.fact.namespaced,
    steps: [post('create', path, whole), ...Array.from({ length: perSample }, (_, index) => step(`request ${index}`))],
    cleanup: [remove('', one, { gracePeriodSeconds: 0 })],
  };
}

export const randomScenarios = (seed: number): Scenario[] => {
  const { next } = seededRandom(seed);
  const all = [
    ...samples.map((sample) => ({ sample, title: `${sample.fact.resource} ${sample.fact.group} ${sample.fact.version}` })),
    ...richSamples().map(({ sample, title }) => ({ sample, title: `rich ${title}` })),
  ];
  return all.map(({ sample, title }) => scenario(sample, `random ${title}`, Math.floor(next() * 2 ** 32)));
};
