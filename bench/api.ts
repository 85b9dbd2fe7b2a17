/**
 * `npm run bench -- api`: the same load on our control plane's API and on kube-apiserver with etcd: rates and p99 of each verb at 32 clients,
 * lists of 10,000 ConfigMaps, watch deliveries to 200 watchers, processor time a thousand requests, and memory after it. Every write is on disk
 * before it is answered, on both sides. `--only create,watch` measures these alone; `--scale 0.1` with fewer objects.
 */
import { coxswainSide, load, upstreamSide } from './sides.ts';
import type { ApiSide } from './sides.ts';
import { measure, processorSeconds, residentMegabytes } from './frame.ts';
import type { Bench, Figure, Side } from './frame.ts';

/** In the order in which they build on one another. */
const scenarios = ['create', 'get', 'update', 'patch', 'apply', 'list', 'listsel', 'watch', 'delete'] as const;
const title: Record<(typeof scenarios)[number], string> = {
  create: 'creates',
  get: 'gets',
  update: 'updates',
  patch: 'strategic merge patches',
  apply: 'applies',
  list: 'lists of 10,000',
  listsel: 'lists by label (1,000 of 10,000)',
  watch: 'watch deliveries',
  delete: 'deletes',
};
/** Requests of one run; the others are as many as there are objects. */
const fixed: Record<string, number> = { list: 20, listsel: 50, watch: 500 };
const watchers = 200;

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

function side(api: ApiSide, chosen: readonly (typeof scenarios)[number][], count: number): Side {
  const processors = (): number => sum([...api.pids.values()].map(processorSeconds));
  return {
    name: api.name,
    async run(round) {
      const figures: Record<string, number> = {};
      for (const scenario of chosen) {
        const before = processors();
        const found = await load(
          api,
          ['-n', String(count), '-c', '32', '-watches', String(watchers), '-writers', '4', '-ns', `round${round + 1}`],
          [scenario],
        );
        const result = found.get(scenario);
        if (!result) continue;
        figures[scenario] = result.rate;
        if (result.p99Milliseconds !== undefined) figures[`${scenario} p99`] = result.p99Milliseconds;
        figures[`${scenario} cpu`] = ((processors() - before) / (fixed[scenario] ?? count)) * 1000;
        if (scenario === 'watch') figures['missing'] = result.errors;
        else if (result.errors > 0) console.error(`${api.name}: ${result.line}`);
      }
      figures['memory'] = sum([...api.pids.values()].map(residentMegabytes));
      return figures;
    },
  };
}

export const bench: Bench = async function* ({ rounds, scale, only, skip }) {
  if (skip('api')) return;
  const chosen = scenarios.filter((scenario) => only.length === 0 || only.includes(scenario));
  const figures: Record<string, Figure> = {};
  for (const scenario of chosen) figures[scenario] = { title: title[scenario], unit: '/s', better: 'more' };
  for (const scenario of chosen)
    if (scenario !== 'watch') figures[`${scenario} p99`] = { title: `${title[scenario]}, p99`, unit: 'ms', better: 'less' };
  for (const scenario of chosen)
    figures[`${scenario} cpu`] = {
      title:
        scenario === 'watch' ? `processor time a thousand events to ${watchers} watchers` : `processor time a thousand ${title[scenario]}`,
      unit: 's',
      better: 'less',
    };
  if (chosen.includes('watch')) figures['missing'] = { title: 'events that watchers were cut before', unit: '', better: 'less' };
  figures['memory'] = { title: 'memory after it, the store included', unit: 'MB', better: 'less' };
  await using ours = await coxswainSide();
  await using theirs = await upstreamSide();
  const count = Math.max(50, Math.round(10_000 * scale));
  yield measure({
    name: 'api',
    title: 'API server: the same load at 32 clients',
    figures,
    sides: [side(ours, chosen, count), side(theirs, chosen, count)],
    rounds,
    notes: [
      `${count.toLocaleString('en')} ConfigMaps of 1 kB; HTTP/2 on 4 connections; the load generator runs on the same cores. Upstream's processor time and memory are kube-apiserver's and etcd's, ours the whole control plane's, controllers and scheduler included.`,
    ],
  });
};
