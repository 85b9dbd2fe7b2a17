import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { Peer } from './peer.ts';
import { userAgent, users } from './setup.ts';

export interface RawRequest {
  method: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

export interface RawAnswer {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
}

/** One connection to a peer. */
export class HttpPeer {
  readonly peer: Peer;
  #session: ClientHttp2Session | undefined;
  constructor(peer: Peer) {
    this.peer = peer;
  }

  send({ method, path, headers, body }: RawRequest): Promise<RawAnswer> {
    if (!this.#session || this.#session.closed || this.#session.destroyed) {
      this.#session = connect(this.peer.url, { ca: this.peer.ca });
      this.#session.on('error', () => undefined);
    }
    const session = this.#session;
    return new Promise((resolve, reject) => {
      session.once('error', reject);
      const stream = session.request(
        { ':method': method, ':path': path, authorization: `Bearer ${users[0]!.token}`, 'user-agent': userAgent, ...headers },
        { endStream: body === undefined },
      );
      const chunks: Buffer[] = [];
      let answer: Omit<RawAnswer, 'bytes'> = { code: 0, headers: {} };
      stream.on('response', (given) => (answer = { code: given[':status'] ?? 0, headers: given as RawAnswer['headers'] }));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        session.off('error', reject);
        resolve({ ...answer, bytes: Buffer.concat(chunks) });
      });
      // A stream that a server breaks off is an answer as well.
      stream.on('error', (error) => {
        session.off('error', reject);
        resolve({ code: answer.code, headers: { 'content-type': 'broken' }, bytes: Buffer.from(error.message) });
      });
      stream.setTimeout(30_000, () => stream.destroy(new Error(`${this.peer.name} does not answer ${method} ${path}`)));
      if (body !== undefined) stream.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#session?.destroy();
  }
}
