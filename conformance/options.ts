/** What the command line asks for. */
import { parseArgs } from 'node:util';
import { parts } from './parts.ts';
import type { Part } from './parts.ts';

export interface Options {
  set: string;
  focus?: string;
  skip?: string;
  procs: number;
  machines: number;
  store?: 'lmdb' | 'memory' | 'etcd';
  contentType: 'json' | 'protobuf';
  repeat: number;
  flakeAttempts: number;
  timeout: string;
  /** Of the cluster. */
  name: string;
  out?: string;
  keep: boolean;
  reuse: boolean;
  /** A kubeconfig of a cluster that runs already, and the network namespace from which its pods are reached. */
  attach?: string;
  netns?: string;
  upstream: boolean;
  /** One part is upstream's in a cluster of ours, or ours in a cluster of upstream's; see swap.ts. */
  swap?: Part | 'none';
  only?: Part | 'none';
  sample?: number;
  seed?: number;
  update: boolean;
  profile?: 'cpu' | 'heap';
}

export const usage = `npm run conformance -- [options]: upstream's conformance tests against a fresh cluster
  --set smoke|passing|parallel|serial|all|sig-<name>   which tests (smoke)
  --focus <re> --skip <re>     tests by name instead
  --sample <n> [--seed <n>]    so many of the passing ones, chosen by the seed
  --procs <n> --machines <n>   side by side (4), nodes (2)
  --store lmdb|memory|etcd     where the cluster keeps its objects (lmdb)
  --content-type json|protobuf what the suite's clients speak (protobuf)
  --repeat <n>                 run the whole so often
  --flake-attempts <n>         try a failing test so often before it counts (1)
  --upstream                   against upstream's own components
  --swap <part>, --only <part> one part upstream's and the rest ours, or the other way: none, ${Object.keys(parts).join(', ')}
  --attach <kubeconfig> [--netns <name>]   against a cluster that is there
  --keep, --reuse, --name <name>           leave the cluster, use the one left
  --profile cpu|heap           of the cluster's first process, with a flame graph
  --update                     write RESULTS.md and passing.txt
  --out <directory>            reports and evidence (.cache/conformance/<time>)`;

const flags = {
  set: { type: 'string', default: 'smoke' },
  focus: { type: 'string' },
  skip: { type: 'string' },
  procs: { type: 'string', default: '4' },
  machines: { type: 'string', default: '2' },
  store: { type: 'string' },
  'content-type': { type: 'string', default: 'protobuf' },
  repeat: { type: 'string', default: '1' },
  'flake-attempts': { type: 'string', default: '1' },
  timeout: { type: 'string', default: '3h' },
  name: { type: 'string', default: 'conformance' },
  out: { type: 'string' },
  keep: { type: 'boolean', default: false },
  reuse: { type: 'boolean', default: false },
  attach: { type: 'string' },
  netns: { type: 'string' },
  upstream: { type: 'boolean', default: false },
  swap: { type: 'string' },
  only: { type: 'string' },
  sample: { type: 'string' },
  seed: { type: 'string' },
  update: { type: 'boolean', default: false },
  profile: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Throws one sentence where the command line cannot be used; undefined when help was asked for. */
export function readOptions(parameters: string[]): Options | undefined {
  const { values } = parseArgs({ args: parameters, options: flags });
  if (values.help) return undefined;
  const whole = (flag: 'procs' | 'machines' | 'repeat' | 'flake-attempts' | 'sample' | 'seed'): number | undefined => {
    const text = values[flag];
    if (text === undefined) return undefined;
    if (!/^\d+$/.test(text) || (flag !== 'seed' && Number(text) < 1))
      throw new Error(`Cannot use --${flag} ${text}: it must be a whole number of at least 1`);
    return Number(text);
  };
  const oneOf = <T extends string>(flag: 'store' | 'content-type' | 'profile' | 'swap' | 'only', known: readonly T[]): T | undefined => {
    const text = values[flag];
    if (text === undefined || known.includes(text as T)) return text as T | undefined;
    throw new Error(`Cannot use --${flag} ${text}: it must be ${known.join(', ')}`);
  };
  const given = <K extends keyof Options>(key: K, value: Options[K] | undefined): Partial<Pick<Options, K>> =>
    value === undefined ? {} : ({ [key]: value } as unknown as Pick<Options, K>);
  const mixes: readonly (Part | 'none')[] = ['none', ...(Object.keys(parts) as Part[])];
  if (values.swap !== undefined && values.only !== undefined)
    throw new Error('Cannot use --swap with --only: a cluster is the one or the other');
  if (values.attach !== undefined && values.upstream)
    throw new Error('Cannot use --attach with --upstream: the one brings a cluster, the other makes one');
  return {
    set: values.sample !== undefined && values.set === 'smoke' ? 'passing' : values.set,
    procs: whole('procs')!,
    machines: whole('machines')!,
    contentType: oneOf('content-type', ['json', 'protobuf'])!,
    repeat: whole('repeat')!,
    flakeAttempts: whole('flake-attempts')!,
    timeout: values.timeout,
    name: values.name,
    keep: values.keep,
    reuse: values.reuse,
    upstream: values.upstream,
    update: values.update,
    ...given('swap', oneOf('swap', mixes)),
    ...given('only', oneOf('only', mixes)),
    ...given('focus', values.focus),
    ...given('skip', values.skip),
    ...given('store', oneOf<'lmdb' | 'memory' | 'etcd'>('store', ['lmdb', 'memory', 'etcd'])),
    ...given('out', values.out),
    ...given('attach', values.attach),
    ...given('netns', values.netns),
    ...given('sample', whole('sample')),
    ...given('seed', whole('seed')),
    ...given('profile', oneOf<'cpu' | 'heap'>('profile', ['cpu', 'heap'])),
  };
}
