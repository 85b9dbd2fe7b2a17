/**
 * The names of the cluster, answered straight from the informers' indexes. Specification: Kubernetes DNS-Based Service Discovery 1.1.0
 * (kubernetes/dns docs/specification.md); where it leaves room, what CoreDNS' kubernetes plugin does.
 */
import { EndpointSlice, Namespace, Service } from '#api';
import type { Endpoint, ServicePort } from '#api';
import type { Informer, Informers } from '#client';
import { formatAddress, isIPv4, isIPv6, parseAddress } from '#machinery/ip';
import { keyOf, refOf } from '#machinery/meta';
import type { Answer, RecordType } from 'dns-packet';

export interface ZoneAnswer {
  rcode: 'NOERROR' | 'NXDOMAIN';
  answers: Answer[];
  additionals: Answer[];
  /** A name outside the cluster that the asker wants resolved as well (ExternalName). */
  follow?: string;
}

const serviceLabel = 'kubernetes.io/service-name';
const headless = (service: Service): boolean => service.spec?.clusterIP === 'None';
/** 10-1-2-3, or an IPv6 address with its colons replaced. */
const dashed = (ip: string): string => ip.replaceAll(/[.:]/g, '-');

function undashed(label: string): string | undefined {
  const four = label.replaceAll('-', '.');
  if (isIPv4(four)) return four;
  const six = label.replaceAll('-', ':');
  return isIPv6(six) ? six : undefined;
}

/** The IP address that a reverse name stands for. */
function reversed(name: string): string | undefined {
  const four = /^((?:\d+\.){4})in-addr\.arpa$/.exec(name);
  if (four) return four[1]!.split('.').filter(Boolean).reverse().join('.');
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (!six) return undefined;
  const digits = six[1]!.split('.').filter(Boolean).reverse().join('');
  const address = parseAddress(digits.match(/.{4}/g)!.join(':'));
  return address && formatAddress(address);
}

interface Target {
  name: string;
  ip: string;
  port: number;
  portName: string;
  protocol: string;
}

export class ClusterZone {
  readonly domain: string;
  readonly #ttl: number;
  readonly #nameServers: () => readonly string[];
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #namespaces: Informer<Namespace>;
  /** Grows with every change: the serial of the zone. */
  #serial = 1;
  /** Grows with every change that may change an answer. */
  #version = 1;
  readonly #subscriptions: Disposable[];

  /** `nameServers`: the addresses under which this server is reached. */
  constructor(informers: Informers, domain: string, ttl: number, nameServers: () => readonly string[]) {
    this.domain = domain.toLowerCase().replace(/\.$/, '');
    this.#ttl = ttl;
    this.#nameServers = nameServers;
    this.#services = informers.for(Service);
    this.#slices = informers.for(EndpointSlice);
    this.#namespaces = informers.for(Namespace);
    this.#services.addIndex('dns/ip', ({ spec }) =>
      (spec?.clusterIPs?.length ? spec.clusterIPs : [spec?.clusterIP ?? '']).filter((ip) => ip && ip !== 'None'),
    );
    this.#slices.addIndex('dns/service', ({ metadata }) =>
      metadata?.labels?.[serviceLabel] ? [`${metadata.namespace}/${metadata.labels[serviceLabel]}`] : [],
    );
    this.#slices.addIndex('dns/ip', ({ endpoints, metadata }) =>
      metadata?.labels?.[serviceLabel] ? [...new Set((endpoints ?? []).flatMap((endpoint) => endpoint.addresses))] : [],
    );
    const change = (): void => void (this.#serial++, this.#version++);
    const changed = { added: change, updated: change, deleted: change };
    const namespace = (): void => void this.#version++;
    this.#subscriptions = [
      this.#services.on(changed),
      this.#slices.on(changed),
      this.#namespaces.on({ added: namespace, deleted: namespace }),
    ];
  }

  get version(): number {
    return this.#version;
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }

  /** Answers a question (name in lower case, without final dot); undefined when the name is not the cluster's business. `shown` is the name as it was asked. */
  answer(name: string, type: RecordType | 'ANY', shown: string): ZoneAnswer | undefined {
    if (name === this.domain || name.endsWith(`.${this.domain}`)) {
      const labels = name === this.domain ? [] : name.slice(0, -this.domain.length - 1).split('.');
      return this.#inZone(labels, type, shown);
    }
    if (name.endsWith('.in-addr.arpa') || name.endsWith('.ip6.arpa')) return this.#reverse(name, type, shown);
    return undefined;
  }

  soa(): Answer {
    const data = {
      mname: `ns.dns.${this.domain}`,
      rname: `hostmaster.${this.domain}`,
      serial: this.#serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: this.#ttl,
    };
    return { type: 'SOA', name: this.domain, ttl: this.#ttl, data };
  }

  #inZone(labels: string[], type: RecordType | 'ANY', shown: string): ZoneAnswer {
    const kind = labels.at(-1);
    if (kind === undefined) return this.#apex(type, shown);
    if (labels.length === 1 && kind === 'dns-version')
      return found(type === 'TXT' || type === 'ANY' ? [this.#record('TXT', shown, '1.1.0')] : []);
    if (kind === 'dns') {
      if (labels.length === 2 && labels[0] === 'ns') return found(this.#addresses(shown, this.#nameServers(), type));
      return labels.length === 1 ? found([]) : missing();
    }
    if (kind !== 'svc' && kind !== 'pod') return missing();
    if (labels.length === 1) return found([]);
    const namespace = labels.at(-2)!;
    if (!this.#namespaces.get(namespace)) return missing();
    if (labels.length === 2) return found([]);
    if (kind === 'pod') {
      const ip = labels.length === 3 ? undashed(labels[0]!) : undefined;
      return ip === undefined ? missing() : found(this.#addresses(shown, [ip], type));
    }
    const service = this.#services.get(`${namespace}/${labels.at(-3)!}`);
    return service ? this.#inService(service, labels.slice(0, -3), type, shown) : missing();
  }

  #apex(type: RecordType | 'ANY', shown: string): ZoneAnswer {
    const answers: Answer[] = [];
    if (type === 'SOA' || type === 'ANY') answers.push(this.soa());
    if (type === 'NS' || type === 'ANY') answers.push(this.#record('NS', shown, `ns.dns.${this.domain}`));
    return found(answers);
  }

  /** `rest`: what stands before the Service's own name. */
  #inService(service: Service, rest: string[], type: RecordType | 'ANY', shown: string): ZoneAnswer {
    if (service.spec?.type === 'ExternalName') return rest.length === 0 ? this.#external(service, type, shown) : missing();
    const own = this.#nameOf(service);
    if (rest.length === 0) {
      if (headless(service)) {
        const targets = this.#targets(service);
        if (targets.length === 0) return missing();
        return this.#fromTargets(targets, type, shown);
      }
      if (type === 'SRV') return this.#serviceRecords(service, own, shown, service.spec?.ports ?? []);
      return found(this.#addresses(shown, this.#clusterIps(service), type));
    }
    if (rest.length === 2 && rest[0]!.startsWith('_') && rest[1]!.startsWith('_')) {
      const [portName, protocol] = [rest[0]!.slice(1), rest[1]!.slice(1)];
      if (headless(service)) {
        const targets = this.#targets(service).filter((target) => target.portName === portName && target.protocol === protocol);
        return targets.length ? this.#fromTargets(targets, type === 'ANY' ? 'SRV' : type, shown) : missing();
      }
      const ports = (service.spec?.ports ?? []).filter(
        (port) => port.name?.toLowerCase() === portName && (port.protocol ?? 'TCP').toLowerCase() === protocol,
      );
      if (ports.length === 0) return missing();
      return type === 'SRV' || type === 'ANY'
        ? this.#serviceRecords(service, own, shown, ports)
        : found(this.#addresses(shown, this.#clusterIps(service), type));
    }
    if (rest.length !== 1) return missing();
    const targets = this.#targets(service).filter((target) => target.name === `${rest[0]}.${own}`);
    return targets.length ? this.#fromTargets(targets, type, shown) : missing();
  }

  #external(service: Service, type: RecordType | 'ANY', shown: string): ZoneAnswer {
    const target = (service.spec?.externalName ?? '').replace(/\.$/, '');
    if (!target || !['A', 'AAAA', 'CNAME', 'ANY'].includes(type)) return found([]);
    return { ...found([this.#record('CNAME', shown, target)]), ...(type !== 'CNAME' && { follow: target }) };
  }

  #serviceRecords(service: Service, own: string, shown: string, ports: readonly ServicePort[]): ZoneAnswer {
    const weight = Math.max(1, Math.floor(100 / Math.max(1, ports.length)));
    return {
      ...found(ports.map(({ port }) => ({ type: 'SRV', name: shown, ttl: this.#ttl, data: { priority: 0, weight, port, target: own } }))),
      additionals: ports.length ? this.#addresses(own, this.#clusterIps(service), 'ANY') : [],
    };
  }

  #fromTargets(targets: readonly Target[], type: RecordType | 'ANY', shown: string): ZoneAnswer {
    const ips = [...new Set(targets.map((target) => target.ip))];
    if (type !== 'SRV') return found(this.#addresses(shown, ips, type));
    const unique = [...new Map(targets.filter(({ port }) => port > 0).map((target) => [`${target.name} ${target.port}`, target])).values()];
    const weight = Math.max(1, Math.floor(100 / Math.max(1, unique.length)));
    const names = new Map(unique.map((target) => [`${target.name} ${target.ip}`, target]));
    return {
      ...found(
        unique.map(({ name, port }) => ({ type: 'SRV', name: shown, ttl: this.#ttl, data: { priority: 0, weight, port, target: name } })),
      ),
      additionals: [...names.values()].flatMap(({ name, ip }) => this.#addresses(name, [ip], 'ANY')),
    };
  }

  #reverse(name: string, type: RecordType | 'ANY', shown: string): ZoneAnswer | undefined {
    const ip = reversed(name);
    if (ip === undefined) return undefined;
    const names = this.#services.byIndex('dns/ip', ip).map((service) => this.#nameOf(service));
    if (names.length === 0)
      for (const slice of this.#slices.byIndex('dns/ip', ip)) {
        const service = this.#services.get(`${slice.metadata?.namespace}/${slice.metadata?.labels?.[serviceLabel]}`);
        // Endpoints behind a ClusterIP have names only where they have a hostname.
        if (service)
          for (const endpoint of slice.endpoints ?? [])
            if (endpoint.addresses.includes(ip) && (headless(service) || endpoint.hostname))
              names.push(this.#endpointName(service, endpoint, ip));
      }
    if (names.length === 0) return undefined;
    return found(type === 'PTR' || type === 'ANY' ? [...new Set(names)].map((target) => this.#record('PTR', shown, target)) : []);
  }

  #targets(service: Service): Target[] {
    const targets: Target[] = [];
    for (const slice of this.#slices.byIndex('dns/service', keyOf(service)))
      for (const endpoint of slice.endpoints ?? []) {
        if (endpoint.conditions?.ready === false) continue;
        for (const ip of endpoint.addresses) {
          const name = this.#endpointName(service, endpoint, ip);
          const ports = slice.ports?.length ? slice.ports : [{}];
          for (const { name: portName = '', port = 0, protocol = 'TCP' } of ports as { name?: string; port?: number; protocol?: string }[])
            targets.push({ name, ip, port, portName: portName.toLowerCase(), protocol: protocol.toLowerCase() });
        }
      }
    return targets;
  }

  #endpointName(service: Service, endpoint: Endpoint, ip: string): string {
    return `${(endpoint.hostname || dashed(ip)).toLowerCase()}.${this.#nameOf(service)}`;
  }

  #nameOf(service: Service): string {
    const { namespace, name } = refOf(keyOf(service));
    return `${name}.${namespace}.svc.${this.domain}`;
  }

  #clusterIps({ spec }: Service): readonly string[] {
    return (spec?.clusterIPs?.length ? spec.clusterIPs : [spec?.clusterIP ?? '']).filter((ip) => ip && ip !== 'None');
  }

  #addresses(name: string, ips: readonly string[], type: RecordType | 'ANY'): Answer[] {
    const answers: Answer[] = [];
    for (const ip of ips) {
      const family = ip.includes(':') ? 'AAAA' : 'A';
      if (type === family || type === 'ANY') answers.push({ type: family, name, ttl: this.#ttl, data: ip });
    }
    return answers;
  }

  #record(type: 'CNAME' | 'PTR' | 'NS' | 'TXT', name: string, data: string): Answer {
    return { type, name, ttl: this.#ttl, data };
  }
}

const found = (answers: Answer[]): ZoneAnswer => ({ rcode: 'NOERROR', answers, additionals: [] });
const missing = (): ZoneAnswer => ({ rcode: 'NXDOMAIN', answers: [], additionals: [] });
