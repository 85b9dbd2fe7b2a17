/** A webhook named by a kubeconfig file: of audit, authentication, authorization. upstream: apiserver/pkg/util/webhook/webhook.go. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { HttpTransportOptions } from '#client';
import { sleep } from '#machinery/clock';
import type { Clock, Random } from '#machinery/clock';
import { parseJson } from '#machinery/json';
import { isSuccess, refusalText, textOf, unreadableText } from './answer.ts';

export type WebhookAddress = Pick<
  HttpTransportOptions,
  'server' | 'ca' | 'identity' | 'token' | 'basic' | 'insecureSkipVerify' | 'serverName'
>;

export interface ConfiguredWebhookOptions {
  /** As a kubeconfig's current context says it. */
  address: WebhookAddress;
  clock: Clock;
  random: Random;
  /** Milliseconds before the first of four further tries; each later wait is half as long again. */
  backoff: number;
  /** Milliseconds that one try may take. Default 30 s. */
  timeout?: number;
  /** Try again after every failure; default only where another try may help. */
  retryAll?: boolean;
}

/** The webhook's answer was no success. */
export class WebhookFailure extends Error {
  readonly code: number | undefined;
  constructor(message: string, code?: number, cause?: unknown) {
    super(message, { cause });
    this.name = 'WebhookFailure';
    this.code = code;
  }
}

const tries = 5;
const growth = 1.5;
const jitter = 0.2;

export class ConfiguredWebhook {
  readonly #options: ConfiguredWebhookOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #stop = new AbortController();

  constructor(options: ConfiguredWebhookOptions) {
    this.#options = options;
    this.#url = new URL(options.address.server);
    this.#agent = this.#url.protocol === 'http:' ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true });
  }

  /** Posts JSON until it is answered. Rejects with a WebhookFailure. */
  async post(body: unknown): Promise<unknown> {
    const { clock, random, backoff, retryAll } = this.#options;
    const text = JSON.stringify(body);
    let wait = backoff;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(text);
      } catch (error) {
        const { code } = error as WebhookFailure;
        // No answer at all, a server in trouble, one that asks to come later.
        const again = retryAll || code === undefined || code === 429 || code >= 500;
        if (attempt === tries || !again || this.#stop.signal.aborted) throw error;
      }
      await sleep(clock, wait * (1 + jitter * random.next()), this.#stop.signal);
      wait *= growth;
    }
  }

  close(): void {
    this.#stop.abort();
    this.#agent.destroy();
  }

  #once(body: string): Promise<unknown> {
    const { address, clock, timeout = 30_000 } = this.#options;
    const url = this.#url;
    const failed = (text: string, cause?: unknown): WebhookFailure =>
      new WebhookFailure(`Post ${JSON.stringify(url.href)}: ${text}`, undefined, cause);
    return new Promise((resolve, reject) => {
      const identity = address.identity?.();
      const token = typeof address.token === 'function' ? address.token() : address.token;
      const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const outgoing = send(url, {
        method: 'POST',
        agent: this.#agent,
        signal: this.#stop.signal,
        headers: {
          accept: 'application/json, */*',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'kube-apiserver',
          ...(token && { authorization: `Bearer ${token}` }),
          ...(address.basic && {
            authorization: `Basic ${Buffer.from(`${address.basic.username}:${address.basic.password}`).toString('base64')}`,
          }),
        },
        ...(address.ca && { ca: address.ca }),
        ...(identity && { cert: identity.cert, key: identity.key }),
        ...(address.insecureSkipVerify && { rejectUnauthorized: false }),
        ...(address.serverName && { servername: address.serverName }),
      });
      const timer = clock.setTimeout(() => outgoing.destroy(new Error('context deadline exceeded')), timeout);
      const settle = (finish: () => void): void => {
        timer.cancel();
        finish();
      };
      outgoing.on('error', (error) => settle(() => reject(failed(error.message, error))));
      outgoing.on('response', (response) => {
        textOf(response).then(
          (text) => settle(() => answered(response.statusCode ?? 0, text, resolve, reject)),
          (error: Error) => settle(() => reject(failed(error.message, error))),
        );
      });
      outgoing.end(body);
    });
  }
}

function answered(code: number, text: string, resolve: (value: unknown) => void, reject: (error: Error) => void): void {
  if (!isSuccess(code)) {
    reject(new WebhookFailure(refusalText(text), code));
    return;
  }
  try {
    resolve(text === '' ? undefined : parseJson(text));
  } catch (error) {
    reject(new WebhookFailure(unreadableText(text, error), code, error));
  }
}
