/** What stands in a pod's /etc/resolv.conf. upstream: pkg/kubelet/network/dns. */
import type { Pod } from '#api';
import type { DNSConfig } from '#runtime';
import { isHostNetwork, namespaceOf, specOf } from '../pod-spec.ts';

export interface ResolverSettings {
  clusterDns: readonly string[];
  clusterDomain: string;
  /** The text of the node's own resolver file; undefined where pods shall see none. */
  hostConfig: string | undefined;
  /** Called with reason and text where something was left out. */
  warn(reason: string, message: string): void;
}

const limits = { nameservers: 3, searches: 32, searchCharacters: 2048 };

export function parseResolverConfig(text: string): Required<DNSConfig> {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...fields] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && fields[0]) servers.push(fields[0].replace(/^\[|\]$/g, ''));
    if (keyword === 'search') searches = fields.map((field) => (field === '.' ? field : field.replace(/\.$/, '')));
    if (keyword === 'options') options = [...options.filter((option) => !fields.some((field) => sameOption(field, option))), ...fields];
  }
  return { servers, searches, options };
}

const sameOption = (a: string, b: string): boolean => a.split(':')[0] === b.split(':')[0];
const unique = (list: readonly string[]): string[] => [...new Set(list)];

function fitSearches(searches: string[], settings: ResolverSettings): string[] {
  let fitted = searches.filter((search) => search.length <= 255);
  let changed = fitted.length !== searches.length;
  if (fitted.length > limits.searches) {
    fitted = fitted.slice(0, limits.searches);
    changed = true;
  }
  while (fitted.join(' ').length > limits.searchCharacters) {
    fitted = fitted.slice(0, -1);
    changed = true;
  }
  if (changed)
    settings.warn(
      'DNSConfigForming',
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${fitted.join(' ')}`,
    );
  return fitted;
}

function fitServers(servers: string[], settings: ResolverSettings): string[] {
  if (servers.length <= limits.nameservers) return servers;
  const fitted = servers.slice(0, limits.nameservers);
  settings.warn(
    'DNSConfigForming',
    `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${fitted.join(' ')}`,
  );
  return fitted;
}

export function podDns(pod: Pod, settings: ResolverSettings): Required<DNSConfig> {
  const host = settings.hostConfig === undefined ? undefined : parseResolverConfig(settings.hostConfig);
  let policy = specOf(pod).dnsPolicy ?? 'ClusterFirst';
  if (policy === 'ClusterFirstWithHostNet') policy = 'ClusterFirst';
  else if (policy === 'ClusterFirst' && isHostNetwork(pod)) policy = 'Default';
  if (policy === 'ClusterFirst' && settings.clusterDns.length === 0) {
    settings.warn(
      'MissingClusterDNS',
      `pod: "${pod.metadata?.name ?? ''}_${namespaceOf(pod)}(${pod.metadata?.uid ?? ''})". kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.`,
    );
    policy = 'Default';
  }
  let config: Required<DNSConfig>;
  if (policy === 'None') config = { servers: [], searches: [], options: [] };
  else if (policy === 'ClusterFirst') {
    const { clusterDomain } = settings;
    const own = clusterDomain ? [`${namespaceOf(pod)}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain] : [];
    config = { servers: [...settings.clusterDns], searches: unique([...own, ...(host?.searches ?? [])]), options: ['ndots:5'] };
  } else
    config = host ?? {
      // Without a resolver file of the node a pod must not inherit the machine's by accident.
      servers: [(settings.clusterDns[0] ?? '').includes(':') ? '::1' : '127.0.0.1'],
      searches: ['.'],
      options: [],
    };
  const extra = specOf(pod).dnsConfig;
  if (extra) {
    const options = (extra.options ?? []).flatMap(({ name, value }) => (name ? [value ? `${name}:${value}` : name] : []));
    config = {
      servers: unique([...config.servers, ...(extra.nameservers ?? [])]),
      searches: unique([...config.searches, ...(extra.searches ?? [])]),
      options: [...config.options.filter((option) => !options.some((own) => sameOption(own, option))), ...options],
    };
  }
  return { ...config, servers: fitServers(config.servers, settings), searches: fitSearches(config.searches, settings) };
}
