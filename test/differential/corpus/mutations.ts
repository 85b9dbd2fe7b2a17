/** Every leaf of an object left out, of another type, and of values it should not have: at creation and as a change. */
import { nameOf, objectOf, pathOf, samples } from './kinds.ts';
import type { Json, Sample } from './kinds.ts';
import { richSamples } from './rich.ts';
import { namespaceOf, patch, post, put } from './scenario.ts';
import type { Scenario, Step } from './scenario.ts';
import { remove } from './scenario.ts';

export type Path = (string | number)[];

/** Where the object holds something, containers before what they hold. */
export function paths(value: unknown, at: Path = []): Path[] {
  const here = at.length > 0 ? [at] : [];
  // One element of a list stands for all.
  if (Array.isArray(value)) return [...here, ...value.slice(0, 1).flatMap((item, index) => paths(item, [...at, index]))];
  if (typeof value !== 'object' || value === null) return here;
  return [...here, ...Object.entries(value).flatMap(([key, held]) => paths(held, [...at, key]))];
}

export const valueAt = (object: unknown, path: Path): unknown => path.reduce<unknown>((at, key) => (at as Json)[key], object);

/** A copy with `value` at the path; undefined leaves it out. */
export function withValue(object: Json, path: Path, value: unknown): Json {
  const copy = structuredClone(object);
  const parent = valueAt(copy, path.slice(0, -1)) as Json;
  const last = path.at(-1)!;
  if (value !== undefined) parent[last] = value;
  else if (Array.isArray(parent)) parent.splice(last as number, 1);
  else delete parent[last];
  return copy;
}

/** What is tried in place of a value. */
export function insteadOf(value: unknown): [string, unknown][] {
  if (typeof value === 'string')
    return [
      ['empty', ''],
      ['odd', 'Odd Value!'],
      ['number', 7],
    ];
  if (typeof value === 'number')
    return [
      ['negative', -1],
      ['zero', 0],
      ['huge', 2 ** 31 - 1],
      ['text', 'seven'],
    ];
  if (typeof value === 'boolean')
    return [
      ['not', !value],
      ['text', 'perhaps'],
    ];
  if (Array.isArray(value))
    return [['empty', []], ['text', 'list'], ...(value.length > 0 ? ([['twice', [...value, value[0]]]] as [string, unknown][]) : [])];
  return [
    ['empty', {}],
    ['text', 'object'],
  ];
}

const shown = (path: Path): string => path.join('.');

export function mutationScenario(sample: Sample, title: string): Scenario {
  const { fact } = sample;
  const ns = namespaceOf(title);
  const base = `${title.startsWith('rich') ? 'r' : 'm'}-${fact.resource.slice(0, 20)}`;
  const whole = objectOf(sample, base, ns, sample.metadata);
  const path = pathOf(sample, ns);
  const one = `${path}/${encodeURIComponent(nameOf(sample, base))}`;
  const tried = paths(whole).filter(([first]) => first !== 'kind' && first !== 'apiVersion' && first !== 'metadata');
  const creates: Step[] = tried.flatMap((at) => [
    post(`create without ${shown(at)}`, `${path}?dryRun=All`, withValue(whole, at, undefined)),
    ...insteadOf(valueAt(whole, at)).map(([word, value]) =>
      post(`create ${word} ${shown(at)}`, `${path}?dryRun=All`, withValue(whole, at, value)),
    ),
  ]);
  const updates: Step[] = tried.flatMap((at) => {
    const value = valueAt(whole, at);
    const others = insteadOf(value).filter(([word]) =>
      typeof value === 'object' ? word !== 'text' : word !== 'number' && word !== 'text',
    );
    if (typeof value === 'string') others.push(['other', 'other']);
    if (typeof value === 'number') others.push(['more', value + 1]);
    return [
      put(`update without ${shown(at)}`, `${one}?dryRun=All`, withValue(whole, at, undefined)),
      ...others.map(([word, other]) => put(`update ${word} ${shown(at)}`, `${one}?dryRun=All`, withValue(whole, at, other))),
    ];
  });
  return {
    name: title,
    namespace: fact.namespaced,
    steps: [
      ...creates,
      post('create', path, whole),
      ...updates,
      patch('touch', one, 'merge', { metadata: { labels: { touched: 'yes' } } }),
    ],
    cleanup: [remove('', one, { gracePeriodSeconds: 0 })],
  };
}

const short = ({ group, resource, version }: Sample['fact']): string => `${resource}${group ? `.${group.split('.')[0]}` : ''} ${version}`;

export const mutationScenarios = (): Scenario[] => [
  ...samples.map((sample) => mutationScenario(sample, `mutations ${short(sample.fact)}`)),
  ...richSamples().map(({ sample, title }) => mutationScenario(sample, `rich ${title}`)),
];
