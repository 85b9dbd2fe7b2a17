import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { clusterParts, storeError, up as startCluster } from '#cluster';
import type { ClusterPart } from '#cluster';
import { clusterName, steps } from './output.ts';

/** apt-get, its talk on standard error. */
function installPackages(names: string[]): Promise<void> {
  const apt = (parameters: string[]): Promise<number> =>
    new Promise((done, fail) => {
      const child = spawn('apt-get', parameters, { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
      child.once('error', fail);
      child.once('exit', (code) => done(code ?? 1));
    });
  return (async () => {
    const install = ['install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=60', ...names];
    if ((await apt(install)) !== 0 && ((await apt(['update', '-q'])) !== 0 || (await apt(install)) !== 0))
      throw new Error(`Cannot install ${names.join(', ')}: apt-get failed; install them yourself, or use --runtime simulated`);
  })();
}

const number = (text: unknown, what: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined => {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(String(text)) || Number(text) < least || Number(text) > most)
    throw new Error(
      `Cannot use ${what} ${String(text)}: it must be a whole number of at least ${least}${most < Number.MAX_SAFE_INTEGER ? ` and at most ${most}` : ''}`,
    );
  return Number(text);
};

/** "90s", "5m", "24h", "7d". */
const seconds = (text: unknown, what: string): number | undefined => {
  if (text === undefined) return undefined;
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(String(text)) ?? [];
  if (count === undefined || Number(count) === 0)
    throw new Error(`Cannot use ${what} ${String(text)}: it must be a time such as 5m, 24h or 7d`);
  return Number(count) * { s: 1, m: 60, h: 3600, d: 86_400 }[unit as 's']!;
};

function readSettings(file: string, parse: (text: string) => unknown): Record<string, unknown> | null {
  try {
    return parse(readFileSync(file === '-' ? 0 : file, 'utf8')) as Record<string, unknown> | null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`Cannot use ${file}: ${code === 'ENOENT' ? 'there is no such file' : message.split('\n')[0]}`, { cause: error });
  }
}

/** "scheduler,proxy", or a list of them. */
function leftOut(given: unknown): ClusterPart[] {
  const names = [given].flat().flatMap((text) => String(text).split(',').filter(Boolean));
  for (const name of names)
    if (!(clusterParts as readonly string[]).includes(name))
      throw new Error(`Cannot start without ${name}: what can be left out is ${clusterParts.join(', ')}`);
  return names as ClusterPart[];
}

/** Parts whose flags can be given: see components/part-arguments.ts, which is loaded when some are. */
const argumentParts = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'] as const;

const camelCase = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** "flag=value" of each part for which something is said. */
async function argumentsOf(options: Record<string, unknown>): Promise<Record<string, string[]> | undefined> {
  const said = argumentParts.filter((part) => options[camelCase(`${part}-arg`)] !== undefined);
  if (said.length === 0) return undefined;
  const { checkArguments } = await import('./components/part-arguments.ts');
  return Object.fromEntries(
    said.map((part) => {
      const given = [options[camelCase(`${part}-arg`)]].flat().map(String);
      return [part, checkArguments(part, given, (text) => steps.note(text))];
    }),
  );
}

export async function up(_parameters: string[], given: Record<string, unknown>): Promise<void> {
  let options = given;
  if (typeof given['config'] === 'string') {
    const { parse } = await import('yaml');
    const file = given['config'];
    const settings = readSettings(file, parse);
    if (settings !== null && (typeof settings !== 'object' || Array.isArray(settings)))
      throw new Error(`Cannot use ${file}: it must be a map of settings`);
    const known = [
      'name',
      'machines',
      'runtime',
      'port',
      'image',
      'without',
      'history',
      'store',
      ...argumentParts.map((part) => `${part}-arg`),
    ];
    for (const key of Object.keys(settings ?? {}))
      if (!known.includes(key)) throw new Error(`Cannot use ${file}: unknown setting "${key}" (known: ${known.join(', ')})`);
    options = { ...Object.fromEntries(Object.entries(settings ?? {}).map(([key, value]) => [camelCase(key), value])), ...given };
  }
  const runtime = options['runtime'];
  if (runtime !== undefined && runtime !== 'auto' && runtime !== 'containerd' && runtime !== 'simulated')
    throw new Error(`Cannot use runtime ${String(runtime)}: it must be auto, containerd or simulated`);
  const history = seconds(options['history'], '--history');
  const machines = number(options['machines'], '--machines', 0);
  const port = number(options['port'], '--port', 1, 65_535);
  const without = options['without'] === undefined ? undefined : leftOut(options['without']);
  const store = options['store'] === undefined ? undefined : String(options['store']);
  const unusable = store === undefined ? undefined : storeError(store);
  if (unusable !== undefined) throw new Error(`Cannot use the store ${unusable}`);
  const parts = await argumentsOf(options);
  const result = await startCluster({
    name: clusterName(options),
    ...(machines !== undefined && { machines }),
    ...(runtime !== undefined && { runtime }),
    ...(port !== undefined && { port }),
    ...(without && { without }),
    ...(store !== undefined && { store }),
    ...(parts && { arguments: parts }),
    ...(history !== undefined && { historySeconds: history }),
    images: ([options['image'] ?? []].flat() as string[]).map((path) => resolve(path)),
    wait: options['wait'] === false ? 'api' : 'ready',
    timeoutSeconds: number(options['timeout'], '--timeout', 1)!,
    mergeKubeconfig: options['kubeconfig'] !== false,
    installPackages,
    report: steps,
  });
  steps.done(
    `Cluster ${result.config.name} is ready after ${(result.milliseconds / 1000).toFixed(1)} s (${result.config.runtime === 'simulated' ? 'simulated pods' : 'containerd'}), API at ${result.server}`,
  );
  if (result.kubeconfig) steps.note(`kubectl now speaks to it (context in ${result.kubeconfig}); try: kubectl get nodes`);
  else steps.note(`Try: coxswain kubectl${result.config.name === 'coxswain' ? '' : ` --name ${result.config.name}`} get nodes`);
}
