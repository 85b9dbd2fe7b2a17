import { Agent, request } from 'node:https';
import type { Clock } from '#machinery/clock';
import { parseAddressLoosely } from '#machinery/ip';
import { parseJson } from '#machinery/json';
import { isSuccess, refusalText, textOf, unreadableText } from './answer.ts';
import type { ServiceResolver } from './service-resolver.ts';

/** What webhook configurations and conversions say about where to call. */
export interface WebhookTarget {
  url?: string;
  service?: { namespace: string; name: string; path?: string; port?: number };
  /** Base64 of PEM; absent: the authorities of the system. */
  caBundle?: string;
}

/** Answers with a status over 299. */
export class WebhookStatusError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const idle = 30_000;

/**
 * Calls webhooks over TLS: JSON there, JSON back. Connections are kept for a while. Failures are Errors whose texts end in upstream's log
 * lines: `Post "https://…": …`. upstream: apiserver/pkg/util/webhook/client.go.
 */
export class WebhookClient {
  readonly #resolve: ServiceResolver;
  readonly #clock: Clock;
  readonly #agents = new Map<string, Agent>();

  constructor(resolve: ServiceResolver, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  async post(target: WebhookTarget, body: unknown, timeoutMilliseconds: number): Promise<unknown> {
    const { url, connect } = this.#locate(target);
    url.searchParams.set('timeout', `${Math.ceil(timeoutMilliseconds / 1000)}s`);
    const failed = (text: string, cause?: unknown): Error => new Error(`Post ${JSON.stringify(url.href)}: ${text}`, { cause });
    const { code, text } = await this.#send(url, connect, target, JSON.stringify(body), timeoutMilliseconds, failed);
    if (!isSuccess(code)) throw new WebhookStatusError(code, refusalText(text));
    try {
      return parseJson(text);
    } catch (error) {
      throw new Error(unreadableText(text, error), { cause: error });
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  /** The URL as it is named, and where it is really dialled. */
  #locate({ url: direct, service }: WebhookTarget): { url: URL; connect: { host: string; port: number } | undefined } {
    if (service) {
      const { namespace, name, path = '/', port = 443 } = service;
      const url = new URL(`https://${name}.${namespace}.svc:${port}${path.startsWith('/') ? path : `/${path}`}`);
      return { url, connect: this.#resolve(namespace, name, port) };
    }
    if (direct) return { url: new URL(direct), connect: undefined };
    throw new Error('webhook configuration must have either service or URL');
  }

  /** One pool a set of authorities. */
  #agent(caBundle: string | undefined): Agent {
    const key = caBundle ?? '';
    let agent = this.#agents.get(key);
    if (!agent) {
      agent = new Agent({
        keepAlive: true,
        timeout: idle,
        ...(caBundle && { ca: Buffer.from(caBundle, 'base64').toString() }),
      });
      this.#agents.set(key, agent);
    }
    return agent;
  }

  #send(
    url: URL,
    connect: { host: string; port: number } | undefined,
    target: WebhookTarget,
    body: string,
    timeout: number,
    failed: (text: string, cause?: unknown) => Error,
  ): Promise<{ code: number; text: string }> {
    return new Promise((resolve, reject) => {
      const servername = parseAddressLoosely(url.hostname) ? '' : url.hostname;
      const outgoing = request(
        {
          method: 'POST',
          host: connect?.host ?? url.hostname.replace(/^\[(.*)\]$/, '$1'),
          port: connect?.port ?? (url.port || 443),
          path: `${url.pathname}${url.search}`,
          agent: this.#agent(target.caBundle),
          servername,
          headers: {
            host: url.host,
            accept: 'application/json, */*',
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            'user-agent': 'kube-apiserver-admission',
          },
        },
        (response) => {
          textOf(response).then(
            (text) => settle(() => resolve({ code: response.statusCode ?? 0, text })),
            (error: Error) => settle(() => reject(failed(error.message, error))),
          );
        },
      );
      const timer = this.#clock.setTimeout(() => outgoing.destroy(new Error('context deadline exceeded')), timeout);
      const settle = (finish: () => void): void => {
        timer.cancel();
        finish();
      };
      outgoing.on('error', (error: NodeJS.ErrnoException) => settle(() => reject(failed(describe(error), error))));
      outgoing.end(body);
    });
  }
}

/** Failures in the words of Go's, which clients look for. */
function describe(error: NodeJS.ErrnoException & { address?: string; port?: number }): string {
  const where = `dial tcp ${error.address ?? ''}:${error.port ?? ''}`;
  switch (error.code) {
    case 'ECONNREFUSED':
      return `${where}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `${where}: connect: no route to host`;
    case 'ECONNRESET':
      return 'EOF';
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'CERT_HAS_EXPIRED':
      return `tls: failed to verify certificate: x509: ${error.message}`;
    default:
      return error.message;
  }
}
