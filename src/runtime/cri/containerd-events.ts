/**
 * CRI's container events for containerd before 1.7, which has none: the ends of tasks from containerd's own event service
 * (containerd/api/services/events), answered with what CRI says of the container then. Ends only, and of those the ones that were not asked for: whatever else happens is the kubelet's own doing.
 */
import type { Client as GrpcClient } from '@grpc/grpc-js';
import { messageCodec } from '#machinery/codec';
import { sleep, systemClock } from '#machinery/clock';
import { RuntimeError } from '../contract.ts';
import type { ContainerEventResponse, RuntimeService } from '../contract.ts';

const codec = messageCodec({
  messages: {
    SubscribeRequest: { filters: { number: 1, type: 'string', repeated: true } },
    Any: { typeUrl: { number: 1, type: 'string' }, value: { number: 2, type: 'bytes' } },
    Envelope: { namespace: { number: 2, type: 'string' }, topic: { number: 3, type: 'string' }, event: { number: 4, type: 'Any' } },
    TaskExit: { containerId: { number: 1, type: 'string' }, id: { number: 2, type: 'string' }, exitStatus: { number: 4, type: 'uint32' } },
  },
  enums: {},
});

interface Envelope {
  namespace?: string;
  topic?: string;
  event?: { typeUrl?: string; value?: Uint8Array };
}

/** containerd tells everybody of an end at once; its CRI plugin needs a moment to take it in. */
const patience = [5, 10, 20, 40, 80, 160, 320, 640];

const isGone = (error: unknown): boolean => error instanceof RuntimeError && error.code === 'not-found';

/** What the kubelet is told of a container or sandbox that has ended; undefined where it is none of CRI's, or gone already. */
async function ended(runtime: RuntimeService, id: string, signal: AbortSignal | undefined): Promise<ContainerEventResponse | undefined> {
  const { containers = [] } = await runtime.listContainers({ filter: { id } });
  const sandboxId = containers[0]?.podSandboxId ?? id;
  const isSandbox = containers.length === 0;
  for (let attempt = 0; ; attempt++) {
    try {
      const { status: sandbox } = await runtime.podSandboxStatus({ podSandboxId: sandboxId });
      const status = isSandbox ? undefined : (await runtime.containerStatus({ containerId: id })).status;
      const settled = isSandbox ? sandbox?.state === 'SANDBOX_NOTREADY' : status?.state === 'CONTAINER_EXITED';
      if (settled || attempt >= patience.length)
        return {
          containerId: id,
          containerEventType: 'CONTAINER_STOPPED_EVENT',
          ...(sandbox && { podSandboxStatus: sandbox }),
          containersStatuses: status ? [status] : [],
        };
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
    await sleep(systemClock, patience[attempt]!, signal);
  }
}

/**
 * Ends that were asked for through this connection. Who asks looks at what came of it anyway, so nobody need be told: a pod's end
 * would cost three questions for each container and sandbox of it, and its own look be repeated because of them.
 */
export class AskedEnds {
  /** Oldest first. What had ended before it was asked to has no end to come, so old ones are forgotten. */
  readonly #ids = new Set<string>();
  readonly #most = 1000;

  /** The service, with its stops noted. A stop that failed leaves the end, if it comes, to be told. */
  watch(runtime: RuntimeService): RuntimeService {
    const noted = async <Answer>(id: string | undefined, stop: () => Promise<Answer>): Promise<Answer> => {
      if (id === undefined) return stop();
      this.#ids.delete(id);
      this.#ids.add(id);
      if (this.#ids.size > this.#most) this.#ids.delete(this.#ids.values().next().value!);
      try {
        return await stop();
      } catch (error) {
        this.#ids.delete(id);
        throw error;
      }
    };
    return {
      ...runtime,
      stopContainer: (request, options) => noted(request.containerId, () => runtime.stopContainer(request, options)),
      stopPodSandbox: (request, options) => noted(request.podSandboxId, () => runtime.stopPodSandbox(request, options)),
    };
  }

  /** Whether this end was asked for; each is asked about once. */
  take(id: string): boolean {
    return this.#ids.delete(id);
  }
}

/** Containers' ends as CRI events, until the signal aborts. Throws a RuntimeError 'unimplemented' where there is no containerd. */
export async function* containerdEvents(
  client: GrpcClient,
  runtime: RuntimeService,
  asked: AskedEnds,
  signal: AbortSignal | undefined,
): AsyncGenerator<ContainerEventResponse> {
  const call = client.makeServerStreamRequest(
    '/containerd.services.events.v1.Events/Subscribe',
    (request: object) => codec.encode('SubscribeRequest', request),
    (bytes: Buffer) => codec.decode('Envelope', bytes) as Envelope,
    { filters: ['namespace==k8s.io,topic=="/tasks/exit"'] },
  );
  const abort = (): void => call.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  const ready: ContainerEventResponse[] = [];
  let wake: (() => void) | undefined;
  let finished = false;
  let failure: unknown;
  const settle = (): void => {
    wake?.();
    wake = undefined;
  };
  call.on('data', ({ event }: Envelope) => {
    if (!event?.value) return;
    const exit = codec.decode('TaskExit', event.value) as { containerId?: string; id?: string };
    // Commands run in a container end too, under an id of their own.
    if (!exit.containerId || (exit.id && exit.id !== exit.containerId) || asked.take(exit.containerId)) return;
    ended(runtime, exit.containerId, signal).then(
      (answer) => {
        if (answer) ready.push(answer);
        settle();
      },
      () => undefined, // the connection breaks for the stream as well, which then is made anew
    );
  });
  call.on('error', (error: Error & { code?: number }) => {
    failure =
      error.code === 12
        ? new RuntimeError('unimplemented', error.message)
        : new RuntimeError('unavailable', error.message, { cause: error });
    finished = true;
    settle();
  });
  call.on('end', () => {
    finished = true;
    settle();
  });
  try {
    for (;;) {
      while (ready.length) yield ready.shift()!;
      if (finished) break;
      await new Promise<void>((resolve) => (wake = resolve));
    }
    if (failure !== undefined && !signal?.aborted) throw failure;
  } finally {
    signal?.removeEventListener('abort', abort);
    call.cancel();
  }
}
