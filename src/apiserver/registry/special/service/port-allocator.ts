import { Service } from '#api';
import type { Informers } from '#client';
import type { Random } from '#machinery/clock';

/** Why a port cannot be had; the texts are upstream's (portallocator). */
export class PortError extends Error {}

/** Node ports and health check ports of a Service. */
export function portsOf({ spec }: Service): number[] {
  const ports = (spec?.ports ?? []).map((port) => port.nodePort ?? 0);
  return [...new Set([...ports, spec?.healthCheckNodePort ?? 0])].filter((port) => port > 0);
}

/**
 * Who has which node port. Kept in memory and in step with all Services; those of other servers come in through the informer.
 * upstream: pkg/registry/core/service/portallocator.
 */
export class PortAllocator {
  readonly first: number;
  readonly last: number;
  readonly #owners = new Map<number, string>();
  readonly #random: Random;
  /** Resolves when the ports of all Services are known. */
  readonly ready: Promise<void>;

  constructor(informers: Informers, random: Random, range: { first: number; last: number } = { first: 30_000, last: 32_767 }) {
    this.first = range.first;
    this.last = range.last;
    this.#random = random;
    const claim = (service: Service): void => {
      for (const port of portsOf(service)) if (!this.#owners.has(port)) this.#owners.set(port, service.metadata!.uid!);
    };
    const leave = (service: Service, kept: readonly number[]): void => {
      for (const port of portsOf(service)) if (!kept.includes(port)) this.release(port, service.metadata!.uid!);
    };
    const services = informers.for(Service);
    this.ready = services.synced;
    services.on({
      added: claim,
      updated(service, old) {
        leave(old, portsOf(service));
        claim(service);
      },
      deleted: (service) => leave(service, []),
    });
  }

  /** Takes this very port. Throws PortError. */
  allocate(port: number, owner: string, dryRun = false): void {
    // upstream: portallocator/operation.go Allocate: a dry run does not look at the range.
    if ((port < this.first || port > this.last) && !dryRun)
      throw new PortError(`provided port is not in the valid range. The range of valid ports is ${this.first}-${this.last}`);
    if (this.#owners.has(port)) throw new PortError('provided port is already allocated');
    this.#owners.set(port, owner);
  }

  /** Takes some free port: one above those that are kept for static choices, as long as there is one. */
  next(owner: string): number {
    const reserved = this.first + this.#staticPorts();
    const port = this.#free(reserved, this.last) ?? this.#free(this.first, reserved - 1);
    if (port === undefined) throw new PortError('range is full');
    this.#owners.set(port, owner);
    return port;
  }

  /** Gives a port back, if it is this owner's. */
  release(port: number, owner: string): void {
    if (this.#owners.get(port) === owner) this.#owners.delete(port);
  }

  /** upstream: portallocator calculateRangeOffset. */
  #staticPorts(): number {
    const size = this.last - this.first + 1;
    return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128);
  }

  #free(first: number, last: number): number | undefined {
    const size = last - first + 1;
    if (size <= 0) return undefined;
    const start = Math.floor(this.#random.next() * size);
    for (let step = 0; step < size; step++) {
      const port = first + ((start + step) % size);
      if (!this.#owners.has(port)) return port;
    }
    return undefined;
  }
}
