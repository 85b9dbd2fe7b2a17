/**
 * Clients over HTTP for the controllers, each as its own service account, with tokens that are asked for and renewed; all on one connection.
 * upstream: k8s.io/controller-manager/pkg/clientbuilder/client_builder_dynamic.go.
 */
import { ServiceAccount } from '#api';
import { clientOver, httpSession, httpTransport } from '#client';
import type { Client, HttpTransportOptions } from '#client';
import type { Clock } from '#machinery/clock';
import { isAlreadyExists, isNotFound } from '#machinery/status';

const namespace = 'kube-system';
/** Seconds a token is asked for; it is renewed when four fifths of them are over. upstream: defaultExpirationSeconds, leewayPercent. */
const lifetime = 3600;

interface TokenAnswer {
  status?: { token?: string; expirationTimestamp?: string };
}

/** The token of one service account, made and renewed as `own`, who may ask for it. */
function tokenSource(own: Client, clock: Clock, name: string): () => Promise<string> {
  let token = '';
  let renewAt = 0;
  let asking: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const request = (): Promise<TokenAnswer> =>
      own.createSubresource<TokenAnswer>(ServiceAccount, { namespace, name }, 'token', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: lifetime },
      });
    let answer: TokenAnswer;
    try {
      answer = await request();
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await own
        .create(ServiceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } })
        .catch((failure: unknown) => {
          if (!isAlreadyExists(failure)) throw failure;
        });
      answer = await request();
    }
    token = answer.status?.token ?? '';
    const left = Date.parse(answer.status?.expirationTimestamp ?? '') - clock.now();
    renewAt = clock.monotonic() + (Number.isFinite(left) ? left : lifetime * 1000) * 0.8;
    return token;
  };
  return async () => {
    if (token && clock.monotonic() < renewAt) return token;
    asking ??= ask().finally(() => (asking = undefined));
    return asking;
  };
}

export interface ControllerClients {
  clientFor(serviceAccount: string): Client;
  close(): Promise<void>;
}

/** `server` is how the API is reached; whom `own` speaks as must be allowed to ask for the tokens. */
export function controllerClients(own: Client, server: HttpTransportOptions): ControllerClients {
  const { clock } = server;
  // No certificate: it would be believed before the token.
  const reach: HttpTransportOptions = {
    server: server.server,
    clock,
    ...(server.ca !== undefined && { ca: server.ca }),
    ...(server.insecureSkipVerify && { insecureSkipVerify: true }),
    ...(server.serverName !== undefined && { serverName: server.serverName }),
    ...(server.userAgent !== undefined && { userAgent: server.userAgent }),
  };
  const session = httpSession(reach);
  const known = new Map<string, Client>();
  return {
    clientFor(name) {
      if (name === '') return own;
      let client = known.get(name);
      if (!client) known.set(name, (client = clientOver(httpTransport({ ...reach, session, token: tokenSource(own, clock, name) }))));
      return client;
    },
    close: () => session.close(),
  };
}
