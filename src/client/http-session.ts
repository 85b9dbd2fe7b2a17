import http2 from 'node:http2';
import type { Clock, Timer } from '#machinery/clock';
import { serviceUnavailable } from '#machinery/status';

export interface SessionOptions {
  /** "https://host:port". */
  server: string;
  /** PEM. Absent: the system's roots. */
  ca?: string | Buffer | undefined;
  /** Client certificate chain and key, PEM; a function is asked at each new connection (rotation). */
  identity?: (() => { cert: string | Buffer; key: string | Buffer } | undefined) | undefined;
  insecureSkipVerify?: boolean | undefined;
  serverName?: string | undefined;
  clock: Clock;
}

/** A connection that stays silent so long while requests wait is pinged, and cut when the answer stays away. upstream: client-go's http2 health check. */
const idleBeforePing = 30_000;
const pingPatience = 15_000;

/** One HTTP/2 connection at a time to one server, made when first needed and again when it was lost. */
export class HttpSession {
  #options: SessionOptions;
  #session: http2.ClientHttp2Session | undefined;
  #open = new Set<http2.ClientHttp2Session>();
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Starts a request; its 'error' event, if any, is the caller's. Throws StatusError ServiceUnavailable after `close`. */
  request(headers: http2.OutgoingHttpHeaders, options: http2.ClientSessionRequestOptions = {}): http2.ClientHttp2Stream {
    if (this.#closed) throw serviceUnavailable('the connection is closed');
    return (this.#session ??= this.#connect()).request(headers, options);
  }

  /** New requests go over a new connection (new certificates); running ones finish on the old. */
  reconnect(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#session = undefined;
    await Promise.all(
      [...this.#open].map(
        (session) =>
          new Promise<void>((resolve) => {
            session.once('close', () => resolve());
            session.destroy();
          }),
      ),
    );
  }

  #connect(): http2.ClientHttp2Session {
    const { server, ca, identity, insecureSkipVerify, serverName, clock } = this.#options;
    const { cert, key } = identity?.() ?? {};
    const session = http2.connect(server, {
      ...(ca && { ca }),
      ...(cert && key && { cert, key }),
      ...(serverName && { servername: serverName }),
      rejectUnauthorized: !insecureSkipVerify,
      settings: { enablePush: false, initialWindowSize: 4 * 1024 * 1024 },
    });
    this.#open.add(session);
    session.once('connect', () => session.setLocalWindowSize?.(16 * 1024 * 1024));
    const leave = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    let timer: Timer | undefined;
    const watchdog = (): void => {
      timer?.cancel();
      if (session.destroyed) return;
      timer = clock.setTimeout(() => {
        if (session.destroyed) return;
        const patience = clock.setTimeout(() => session.destroy(new Error(`No answer from ${server}`)), pingPatience);
        try {
          session.ping((error) => {
            patience.cancel();
            if (!error) watchdog();
          });
        } catch {
          // ping() throws only on a session that is already going down, whose 'close' follows.
          patience.cancel();
        }
      }, idleBeforePing);
    };
    watchdog();
    session.on('goaway', leave);
    // Each stream of the session gets the error too, and answers for it there.
    session.on('error', leave);
    session.once('close', () => {
      timer?.cancel();
      leave();
      this.#open.delete(session);
    });
    return session;
  }
}
