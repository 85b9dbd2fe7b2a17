/** An issuer's keys, found by its discovery document and fetched when they are needed. upstream: coreos/go-oidc. */
import { Agent, request } from 'node:https';
import { jsonSyntaxError } from '#machinery/codec';
import type { Clock } from '#machinery/clock';
import { textOf } from '../../webhook/answer.ts';
import { signatureKeys } from './signatures.ts';
import type { IssuerKey } from './signatures.ts';

export interface ProviderOptions {
  url: string;
  /** Where the discovery document is instead of <url>/.well-known/openid-configuration. */
  discoveryUrl?: string;
  /** PEM of the authorities of the issuer's server; absent: the system's. */
  certificateAuthority?: string;
  clock: Clock;
}

const patience = 30_000;
/** Milliseconds before what failed is tried again. */
const pause = 10_000;
const limit = { bytes: 1024 * 1024, complaint: 'the answer is too long' };

export class Provider {
  readonly #options: ProviderOptions;
  readonly #agent: Agent;
  #keySetUrl: string | undefined;
  #keys: IssuerKey[] = [];
  #fetching: Promise<void> | undefined;
  #failedAt: number | undefined;
  /** Why the issuer's keys are not known. */
  error: string | undefined;

  constructor(options: ProviderOptions) {
    this.#options = options;
    this.error = `oidc: authenticator for issuer ${JSON.stringify(options.url)} is not initialized`;
    this.#agent = new Agent({ keepAlive: false, ...(options.certificateAuthority && { ca: options.certificateAuthority }) });
  }

  /** Looks for the issuer, so that the first token does not have to wait for it. */
  begin(): void {
    this.#refresh().catch(() => undefined);
  }

  /** The keys that may have signed a token which names `kid`; fetched anew where none is known by that name. */
  async keysFor(kid: string | undefined): Promise<IssuerKey[]> {
    const known = this.#matching(kid);
    if (known.length > 0) return known;
    await this.#refresh();
    return this.#matching(kid);
  }

  close(): void {
    this.#agent.destroy();
  }

  #matching(kid: string | undefined): IssuerKey[] {
    return kid === undefined ? this.#keys : this.#keys.filter((key) => key.kid === kid);
  }

  /** One fetch at a time, whoever asks. */
  #refresh(): Promise<void> {
    const now = this.#options.clock.monotonic();
    if (this.#failedAt !== undefined && now - this.#failedAt < pause) return Promise.reject(new Error(this.error));
    return (this.#fetching ??= this.#fetch()
      .then(
        () => {
          this.error = undefined;
          this.#failedAt = undefined;
        },
        (error: Error) => {
          // Keys that were known once go on being good.
          if (!this.#keySetUrl) this.error = error.message;
          this.#failedAt = this.#options.clock.monotonic();
          throw error;
        },
      )
      .finally(() => (this.#fetching = undefined)));
  }

  async #fetch(): Promise<void> {
    const { url, discoveryUrl } = this.#options;
    if (!this.#keySetUrl) {
      const found = (await this.#get(discoveryUrl ?? `${url.replace(/\/$/, '')}/.well-known/openid-configuration`)) as Record<
        string,
        unknown
      >;
      if (found?.['issuer'] !== url)
        throw new Error(
          `oidc: issuer did not match the issuer returned by provider, expected ${JSON.stringify(url)} got ${JSON.stringify(found?.['issuer'] ?? '')}`,
        );
      if (typeof found['jwks_uri'] !== 'string' || !found['jwks_uri']) throw new Error('provider did not return JWKS URL');
      this.#keySetUrl = found['jwks_uri'];
    }
    this.#keys = signatureKeys(await this.#get(this.#keySetUrl));
  }

  #get(url: string): Promise<unknown> {
    const failed = (why: string): Error => new Error(`Get ${JSON.stringify(url)}: ${why}`);
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { agent: this.#agent, headers: { accept: 'application/json' } }, (response) => {
        const { statusCode, statusMessage = '' } = response;
        const read = (text: string): void => {
          if (statusCode !== 200) return reject(new Error(`${statusCode} ${statusMessage}: ${text}`));
          try {
            resolve(JSON.parse(text));
          } catch (error) {
            reject(failed(jsonSyntaxError(text) ?? (error as Error).message));
          }
        };
        textOf(response, limit)
          .then(read, (error: Error) => reject(failed(error.message)))
          .finally(() => timer.cancel());
      });
      const timer = this.#options.clock.setTimeout(() => outgoing.destroy(new Error('context deadline exceeded')), patience);
      outgoing.on('error', (error) => {
        timer.cancel();
        reject(failed(error.message));
      });
      outgoing.end();
    });
  }
}
