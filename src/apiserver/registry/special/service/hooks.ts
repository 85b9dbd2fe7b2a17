import { Endpoints } from '#api';
import type { Service } from '#api';
import { failure, internalError, invalid, invalidField, isNotFound, isStatus } from '#machinery/status';
import type { StatusError } from '#machinery/status';
import type { Log } from '#machinery/log';
import type { Client } from '#client';
import type { Finish, HooksFactory, StorageHooks } from '../../contract.ts';
import { AddressAllocator, AddressError } from './address-allocator.ts';
import type { IPFamily } from './address-allocator.ts';
import { initFamilies, keepsDualStack } from './families.ts';
import { keepAllocated, needsHealthCheckPort, normalizeAddresses } from './normalize.ts';
import { PortAllocator, PortError } from './port-allocator.ts';
import { repairAddresses } from './repair.ts';

/** What is to be done when the write is settled. */
interface Settlement {
  onFailure: (() => void | Promise<void>)[];
  onSuccess: (() => void | Promise<void>)[];
}

const refusal = ({ metadata }: Service, field: string, value: unknown, detail: string): StatusError =>
  invalid({ group: '', kind: 'Service' }, metadata?.name ?? '', [invalidField(field, value, detail)]);

const nodePortsOf = ({ spec }: Service): number[] => (spec!.ports ?? []).map((port) => port.nodePort ?? 0).filter((port) => port > 0);
const hasNodePorts = ({ spec }: Service): boolean => spec!.type === 'NodePort' || spec!.type === 'LoadBalancer';
/** Whether ports that were not asked for by number are given. */
const givesNodePorts = ({ spec }: Service): boolean =>
  spec!.type === 'NodePort' || (spec!.type === 'LoadBalancer' && (spec!.allocateLoadBalancerNodePorts ?? true));
const hasAddresses = ({ spec }: Service): boolean => spec!.type !== 'ExternalName' && spec!.clusterIPs?.[0] !== 'None';

/** Addresses and ports of Services: taken before a write, given back when it fails or when they are no longer wanted. upstream: service/storage. */
export const serviceHooks =
  (cidrs: readonly string[]): HooksFactory =>
  (dependencies) => {
    const { informers, random, client, log } = dependencies;
    repairAddresses(dependencies).catch((error: unknown) => log.error('Service addresses cannot be checked', { error }));
    return new ServiceHooks(new AddressAllocator(dependencies, cidrs), new PortAllocator(informers, random), client, log);
  };

class ServiceHooks implements StorageHooks {
  readonly group = '';
  readonly resource = 'services';
  readonly #addresses: AddressAllocator;
  readonly #ports: PortAllocator;
  readonly #client: Client;
  readonly #log: Log;

  constructor(addresses: AddressAllocator, ports: PortAllocator, client: Client, log: Log) {
    this.#addresses = addresses;
    this.#ports = ports;
    this.#client = client;
    this.#log = log;
  }

  readonly beginCreate: NonNullable<StorageHooks['beginCreate']> = async ({ dryRun, info }, object) => {
    const service = object as Service;
    service.metadata!.namespace ||= info.namespace;
    normalizeAddresses(service, undefined);
    return this.#settling(async (settlement) => {
      initFamilies(service, undefined, this.#addresses.families);
      await this.#allocateAddresses(service, settlement, dryRun);
      await this.#ports.ready;
      if (hasNodePorts(service)) this.#allocatePorts(service, settlement, dryRun);
      if (needsHealthCheckPort(service)) this.#allocateHealthCheckPort(service, settlement, dryRun);
    });
  };

  readonly beginUpdate: NonNullable<StorageHooks['beginUpdate']> = async ({ dryRun, info }, object, oldObject) => {
    if (info.subresource) return () => undefined;
    const service = object as Service;
    const old = oldObject as Service;
    keepAllocated(service, old);
    normalizeAddresses(service, old);
    return this.#settling(async (settlement) => {
      initFamilies(service, old, this.#addresses.families);
      await this.#updateAddresses(service, old, settlement, dryRun);
      await this.#ports.ready;
      this.#updatePorts(service, old, settlement, dryRun);
    });
  };

  readonly afterDelete: NonNullable<StorageHooks['afterDelete']> = async ({ dryRun }, object) => {
    if (dryRun) return;
    const service = object as Service;
    const { namespace = '', name = '', uid = '' } = service.metadata!;
    for (const port of [...nodePortsOf(service), service.spec!.healthCheckNodePort ?? 0]) this.#ports.release(port, uid);
    const addresses = hasAddresses(service) ? (service.spec!.clusterIPs ?? []) : [];
    await Promise.all([
      ...addresses.map((ip) => this.#addresses.release(ip)),
      // A Service of the same name must not meet the endpoints of this one.
      this.#client.delete(Endpoints, { namespace, name }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      }),
    ]).catch((error: unknown) => this.#log.error('What a Service had cannot be given back', { service: `${namespace}/${name}`, error }));
  };

  /** Runs `prepare`; where it fails, gives back at once what it took. */
  async #settling(prepare: (settlement: Settlement) => Promise<void>): Promise<Finish> {
    const settlement: Settlement = { onFailure: [], onSuccess: [] };
    const finish = async (succeeded: boolean): Promise<void> => {
      for (const step of succeeded ? settlement.onSuccess : settlement.onFailure) await step();
    };
    try {
      await prepare(settlement);
    } catch (error) {
      await finish(false);
      throw error;
    }
    return finish;
  }

  // ---- addresses ----

  async #allocateAddresses(service: Service, settlement: Settlement, dryRun: boolean): Promise<void> {
    const spec = service.spec!;
    if (!hasAddresses(service)) return;
    const asked = spec.clusterIPs ?? [];
    const addresses: string[] = [];
    for (const [index, family] of (spec.ipFamilies ?? []).entries())
      addresses.push(await this.#take(service, family as IPFamily, asked[index] ?? '', settlement, dryRun));
    spec.clusterIPs = addresses;
    spec.clusterIP = addresses[0]!;
  }

  async #take(service: Service, family: IPFamily, asked: string, settlement: Settlement, dryRun: boolean): Promise<string> {
    try {
      let ip = asked;
      if (asked) await this.#addresses.allocate(service, asked, dryRun);
      else ip = await this.#addresses.next(service, family, dryRun);
      if (!dryRun) settlement.onFailure.push(() => this.#addresses.release(ip));
      return ip;
    } catch (error) {
      const { clusterIPs = [] } = service.spec!;
      if (isStatus(error, 'Invalid'))
        throw refusal(service, 'spec.clusterIPs', clusterIPs.length > 0 ? clusterIPs : [''], `failed to allocate IP: ${error.message}`);
      if (!(error instanceof AddressError)) throw error;
      if (asked) throw refusal(service, 'spec.clusterIPs', clusterIPs, `failed to allocate IP ${asked}: ${error.message}`);
      if (error.full) throw internalError(new Error(`failed to allocate a serviceIP: ${error.message}`));
      throw refusal(service, 'spec.clusterIPs', clusterIPs, `failed to allocate IP: ${error.message}`);
    }
  }

  async #updateAddresses(service: Service, old: Service, settlement: Settlement, dryRun: boolean): Promise<void> {
    if (keepsDualStack(service, old)) return;
    const spec = service.spec!;
    const before = old.spec!;
    const releaseLater = (ips: readonly string[]): void => {
      if (!dryRun) settlement.onSuccess.push(...ips.map((ip) => () => this.#addresses.release(ip)));
    };
    if (before.type === 'ExternalName') {
      if (spec.type !== 'ExternalName') await this.#allocateAddresses(service, settlement, dryRun);
      return;
    }
    if (before.clusterIPs?.[0] === 'None') return;
    if (spec.type === 'ExternalName') return releaseLater(before.clusterIPs ?? []);
    const [had, has] = [before.ipFamilies?.length ?? 0, spec.ipFamilies?.length ?? 0];
    if (had === 1 && has === 2) {
      const second = await this.#take(service, spec.ipFamilies![1] as IPFamily, spec.clusterIPs?.[1] ?? '', settlement, dryRun);
      spec.clusterIPs = [...(spec.clusterIPs ?? []).slice(0, 1), second];
    } else if (had === 2 && has === 1) releaseLater((before.clusterIPs ?? []).slice(1));
  }

  // ---- ports ----

  /** Takes a port of the service's; `asked` 0: any. */
  #takePort(service: Service, asked: number, settlement: Settlement, dryRun: boolean): number {
    const owner = service.metadata!.uid!;
    let port = asked;
    if (asked) this.#ports.allocate(asked, owner, dryRun);
    else port = this.#ports.next(owner);
    const giveBack = (): void => this.#ports.release(port, owner);
    settlement.onFailure.push(giveBack);
    if (dryRun) settlement.onSuccess.push(giveBack);
    return port;
  }

  #allocatePorts(service: Service, settlement: Settlement, dryRun: boolean): void {
    const ports = service.spec!.ports ?? [];
    // One number serves the same port under TCP and UDP.
    const given = new Map<number, number>();
    for (const [index, port] of ports.entries()) {
      if (!port.nodePort && !givesNodePorts(service)) continue;
      const shared = given.get(port.port);
      if (shared !== undefined && (!port.nodePort || port.nodePort === shared)) {
        port.nodePort = shared;
        continue;
      }
      const asked =
        port.nodePort || (shared === undefined ? (ports.find((some) => some.port === port.port && some.nodePort)?.nodePort ?? 0) : 0);
      port.nodePort = this.#nodePort(service, index, asked, settlement, dryRun);
      if (shared === undefined) given.set(port.port, port.nodePort);
    }
  }

  #nodePort(service: Service, index: number, asked: number, settlement: Settlement, dryRun: boolean): number {
    try {
      return this.#takePort(service, asked, settlement, dryRun);
    } catch (error) {
      if (!(error instanceof PortError)) throw error;
      if (asked) throw refusal(service, `spec.ports[${index}].nodePort`, asked, error.message);
      throw internalError(new Error(`failed to allocate a nodePort: ${error.message}`));
    }
  }

  #allocateHealthCheckPort(service: Service, settlement: Settlement, dryRun: boolean): void {
    const asked = service.spec!.healthCheckNodePort ?? 0;
    try {
      service.spec!.healthCheckNodePort = this.#takePort(service, asked, settlement, dryRun);
    } catch (error) {
      if (!(error instanceof PortError)) throw error;
      throw internalError(
        new Error(
          asked
            ? `failed to allocate requested HealthCheck NodePort ${asked}: ${error.message}`
            : `failed to allocate a HealthCheck NodePort ${asked}: ${error.message}`,
        ),
      );
    }
  }

  #updatePorts(service: Service, old: Service, settlement: Settlement, dryRun: boolean): void {
    const owner = old.metadata!.uid!;
    const releaseLater = (port: number): void => {
      if (!dryRun) settlement.onSuccess.push(() => this.#ports.release(port, owner));
    };
    const before = nodePortsOf(old);
    if (hasNodePorts(service)) {
      const taken = new Set(before);
      const seen = new Set<string>();
      for (const [index, port] of (service.spec!.ports ?? []).entries()) {
        if (!port.nodePort && !givesNodePorts(service)) continue;
        if (!port.nodePort || !taken.has(port.nodePort))
          port.nodePort = this.#nodePort(service, index, port.nodePort ?? 0, settlement, dryRun);
        taken.add(port.nodePort);
        const key = `${port.protocol} ${port.nodePort}`;
        if (seen.has(key)) throw failure(500, undefined, `duplicate nodePort: {${key}}`);
        seen.add(key);
      }
      const now = nodePortsOf(service);
      for (const port of before) if (!now.includes(port)) releaseLater(port);
    } else if (hasNodePorts(old)) for (const port of before) releaseLater(port);
    if (!needsHealthCheckPort(old) && needsHealthCheckPort(service)) this.#allocateHealthCheckPort(service, settlement, dryRun);
    else if (needsHealthCheckPort(old) && !needsHealthCheckPort(service)) releaseLater(old.spec!.healthCheckNodePort ?? 0);
  }
}
