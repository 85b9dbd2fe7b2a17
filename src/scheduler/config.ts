/** The part of KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1) that is supported. upstream: pkg/scheduler/apis/config. */
import type { Plugin, PluginFactory, Handle } from './contract.ts';
import type { WeightedPlugin } from './framework/profile.ts';
import { defaultPlugins } from './plugins/index.ts';

export interface SchedulerConfiguration {
  profiles?: SchedulerProfile[];
  podInitialBackoffSeconds?: number;
  podMaxBackoffSeconds?: number;
  percentageOfNodesToScore?: number;
}

export interface SchedulerProfile {
  /** Default, with one profile: "default-scheduler". */
  schedulerName?: string;
  percentageOfNodesToScore?: number;
  /** By extension point ("multiPoint", "filter", "score", …). */
  plugins?: Record<string, PluginSet | undefined>;
  pluginConfig?: { name: string; args?: Record<string, unknown> }[];
}

export interface PluginSet {
  enabled?: { name: string; weight?: number }[];
  /** The name "*" stands for all. */
  disabled?: { name: string }[];
}

export const defaultSchedulerName = 'default-scheduler';

const points = [
  'preEnqueue',
  'queueSort',
  'preFilter',
  'filter',
  'postFilter',
  'preScore',
  'score',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
] as const;

/** Makes the plugins of a profile: the default ones, changed as the profile says. `extra` adds plugins that are not built in. */
export function profilePlugins(
  profile: SchedulerProfile,
  handle: Handle,
  extra: Readonly<Record<string, PluginFactory>> = {},
): WeightedPlugin[] {
  const factories = new Map([...defaultPlugins.map(({ name, factory }) => [name, factory] as const), ...Object.entries(extra)]);
  const multiPoint = profile.plugins?.['multiPoint'] ?? {};
  const disables = (set: PluginSet | undefined, name: string): boolean =>
    set?.disabled?.some((entry) => entry.name === '*' || entry.name === name) ?? false;
  const wanted = new Map<string, { weight?: number; only?: Set<string> }>();
  for (const { name, weight } of defaultPlugins) if (!disables(multiPoint, name)) wanted.set(name, weight === undefined ? {} : { weight });
  for (const { name, weight } of multiPoint.enabled ?? []) wanted.set(name, { ...wanted.get(name), ...(weight && { weight }) });
  for (const point of points)
    for (const { name, weight } of profile.plugins?.[point]?.enabled ?? []) {
      const entry = wanted.get(name) ?? { only: new Set<string>() };
      entry.only?.add(point);
      if (weight) entry.weight = weight;
      wanted.set(name, entry);
    }
  return [...wanted].map(([name, { weight, only }]) => {
    const factory = factories.get(name);
    if (!factory) throw new Error(`Cannot make profile ${handle.profileName}: there is no plugin ${name}`);
    const plugin: Plugin = factory(handle, profile.pluginConfig?.find((entry) => entry.name === name)?.args ?? {});
    const left = points.filter((point) => {
      const set = profile.plugins?.[point];
      const enabled = set?.enabled?.some((entry) => entry.name === name) ?? false;
      return only ? !only.has(point) : !enabled && disables(set, name);
    });
    return { plugin, ...(weight !== undefined && { weight }), ...(left.length > 0 && { without: new Set<string>(left) }) };
  });
}
