import type { AuthenticationV1TokenRequest as TokenRequest, Pod } from '#api';
import { ServiceAccount } from '#api';
import type { Client } from '#client';
import type { Clock } from '#machinery/clock';
import { fromMetaTime } from '../meta-time.ts';
import { nameOf, namespaceOf, specOf, uidOf } from '../pod-spec.ts';
import type { TokenSource } from './contract.ts';

interface Held {
  token: Promise<string>;
  /** Milliseconds since 1970; 0 until it is known. */
  renewAt: number;
  expiresAt: number;
  last?: string;
}

const longest = 24 * 3600 * 1000;

/** Tokens for pods, renewed after four fifths of their life, at the latest after a day. upstream: pkg/kubelet/token/token_manager.go. */
export class Tokens implements TokenSource {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #held = new Map<string, Map<string, Held>>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async token(pod: Pod, audience: string, expirationSeconds: number): Promise<string> {
    const uid = uidOf(pod);
    const account = specOf(pod).serviceAccountName ?? 'default';
    const key = JSON.stringify([account, audience, expirationSeconds]);
    const held = this.#held.get(uid) ?? new Map<string, Held>();
    this.#held.set(uid, held);
    const known = held.get(key);
    const now = this.#clock.now();
    if (known && (known.renewAt === 0 || now < known.renewAt)) return known.token;
    const fresh: Held = { token: Promise.resolve(''), renewAt: 0, expiresAt: 0 };
    fresh.token = this.#request(pod, account, audience, expirationSeconds).then(({ status }) => {
      const expiresAt = fromMetaTime(status?.expirationTimestamp);
      const life = Math.min(expiresAt - this.#clock.now(), longest / 0.8);
      fresh.expiresAt = expiresAt;
      fresh.renewAt = this.#clock.now() + life * 0.8;
      return status?.token ?? '';
    });
    held.set(key, fresh);
    try {
      return await fresh.token;
    } catch (error) {
      // The former one still serves until it ends.
      if (known && now < known.expiresAt) {
        held.set(key, { ...known, renewAt: now + 10_000 });
        return known.token;
      }
      held.delete(key);
      throw new Error(`failed to fetch token: ${(error as Error).message}`, { cause: error });
    }
  }

  #request(pod: Pod, account: string, audience: string, expirationSeconds: number): Promise<TokenRequest> {
    return this.#client.createSubresource<TokenRequest>(ServiceAccount, { namespace: namespaceOf(pod), name: account }, 'token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        ...(audience && { audiences: [audience] }),
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: nameOf(pod), uid: uidOf(pod) },
      },
    });
  }

  nextRenewal(uid: string): number | undefined {
    const times = [...(this.#held.get(uid)?.values() ?? [])].map(({ renewAt }) => renewAt).filter((at) => at > 0);
    return times.length ? Math.min(...times) : undefined;
  }

  forget(uid: string): void {
    this.#held.delete(uid);
  }
}
