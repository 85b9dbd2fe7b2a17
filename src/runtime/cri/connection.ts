/** CRI over gRPC: methods come from the generated table, messages go through the table-driven codec. */
import type { Client as GrpcClient, ServiceError } from '@grpc/grpc-js';
import table from '../../api/facts/cri.json' with { type: 'json' };
import { messageCodec } from '#machinery/codec';
import type { MessageTable } from '#machinery/codec';
import { RuntimeError } from '../contract.ts';
import { AskedEnds, containerdEvents } from './containerd-events.ts';
import type { ImageService, RuntimeErrorCode, RuntimeService } from '../contract.ts';

interface Method {
  path: string;
  request: string;
  response: string;
  stream?: boolean;
}

const codes: Record<number, RuntimeErrorCode> = {
  3: 'invalid-argument',
  4: 'deadline-exceeded',
  5: 'not-found',
  6: 'already-exists',
  12: 'unimplemented',
  14: 'unavailable',
};

export interface CriConnection {
  runtime: RuntimeService;
  images: ImageService;
  close(): void;
}

/** Connects to a CRI runtime's unix socket. The connection is made lazily and made again when it breaks. */
export async function connectCri(socketPath: string): Promise<CriConnection> {
  const grpc = await import('@grpc/grpc-js');
  const codec = messageCodec(table as MessageTable);
  const client: GrpcClient = new grpc.Client(`unix://${socketPath}`, grpc.credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2000,
    // gRPC's retry buffer costs every call; CRI calls are repeated by the kubelet where that is right.
    'grpc.enable_retries': 0,
  });
  const failure = (error: ServiceError, method: string): RuntimeError =>
    new RuntimeError(codes[error.code] ?? 'unknown', error.details || error.message, { cause: new Error(`${method}: ${error.message}`) });

  function unary(name: string, method: Method) {
    const serialize = (value: object): Buffer => codec.encode(method.request, value);
    const deserialize = (bytes: Buffer): Record<string, unknown> => codec.decode(method.response, bytes);
    return (request: object, options?: { signal?: AbortSignal }): Promise<unknown> =>
      new Promise((resolve, reject) => {
        if (options?.signal?.aborted) {
          reject(options.signal.reason as Error);
          return;
        }
        const call = client.makeUnaryRequest(method.path, serialize, deserialize, request, (error, answer) => {
          options?.signal?.removeEventListener('abort', abort);
          if (error) reject(options?.signal?.aborted ? (options.signal.reason as Error) : failure(error, name));
          else resolve(answer ?? {});
        });
        const abort = (): void => call.cancel();
        options?.signal?.addEventListener('abort', abort, { once: true });
      });
  }

  function streaming(name: string, method: Method) {
    const serialize = (value: object): Buffer => codec.encode(method.request, value);
    const deserialize = (bytes: Buffer): Record<string, unknown> => codec.decode(method.response, bytes);
    return async function* (request: object, options?: { signal?: AbortSignal }): AsyncGenerator {
      const call = client.makeServerStreamRequest(method.path, serialize, deserialize, request);
      const abort = (): void => call.cancel();
      options?.signal?.addEventListener('abort', abort, { once: true });
      try {
        for await (const message of call) yield message;
      } catch (error) {
        if (options?.signal?.aborted) return;
        throw failure(error as ServiceError, name);
      } finally {
        options?.signal?.removeEventListener('abort', abort);
        call.cancel();
      }
    };
  }

  const service = (name: 'RuntimeService' | 'ImageService'): object =>
    Object.fromEntries(
      Object.entries(table.services[name] as Record<string, Method>).map(([method, facts]) => [
        method,
        facts.stream ? streaming(method, facts) : unary(method, facts),
      ]),
    );

  const asked = new AskedEnds();
  const runtime = asked.watch(service('RuntimeService') as RuntimeService);
  return {
    runtime: {
      ...runtime,
      async *getContainerEvents(request, options) {
        try {
          yield* runtime.getContainerEvents(request, options);
        } catch (error) {
          if (!(error instanceof RuntimeError) || error.code !== 'unimplemented') throw error;
          yield* containerdEvents(client, runtime, asked, options?.signal);
        }
      },
    },
    images: service('ImageService') as ImageService,
    close: () => client.close(),
  };
}
