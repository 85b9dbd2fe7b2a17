/** Says in the status of flow schemas whether their priority level exists. upstream: flowcontrol/apf_controller.go presyncFlowSchemaStatus. */
import { FlowSchema } from '#api';
import type { Client } from '#client';
import { timestamp } from '#machinery/clock';
import type { Clock, Random, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { isNotFound } from '#machinery/status';

const fieldManager = 'api-priority-and-fairness-config-consumer-v1';
const minute = 60_000;
/** Two servers that do not agree must not write against each other for ever. */
const updatesAMinute = 6;

export interface FlowStatusOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  /** Calls for another look later. */
  again(): void;
}

export class FlowStatus {
  readonly #options: FlowStatusOptions;
  readonly #updates = new Map<string, number[]>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: FlowStatusOptions) {
    this.#options = options;
  }

  async update(schemas: readonly FlowSchema[], exists: (level: string) => boolean): Promise<void> {
    for (const schema of schemas) {
      const level = schema.spec?.priorityLevelConfiguration.name ?? '';
      await this.#updateOne(schema, level, exists(level));
      if (this.#stopped) return;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #updateOne(schema: FlowSchema, level: string, found: boolean): Promise<void> {
    const { client, clock, random, log } = this.#options;
    const name = schema.metadata?.name ?? '';
    const what = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
    const wanted = found
      ? { status: 'False', reason: 'Found', message: `${what} and it exists` }
      : { status: 'True', reason: 'NotFound', message: `${what} but there is no such object` };
    const present = schema.status?.conditions?.find(({ type }) => type === 'Dangling');
    if (present?.status === wanted.status && present.reason === wanted.reason && present.message === wanted.message) return;
    const now = clock.now();
    const recent = (this.#updates.get(name) ?? []).filter((at) => now - at < minute);
    if (recent.length >= updatesAMinute) {
      this.#timer ??= clock.setTimeout(
        () => {
          this.#timer = undefined;
          this.#options.again();
        },
        30_000 + random.next() * 45_000,
      );
      return;
    }
    this.#updates.set(name, [...recent, now]);
    const body = {
      apiVersion: FlowSchema.apiVersion,
      kind: FlowSchema.kind,
      metadata: { name },
      status: { conditions: [{ type: 'Dangling', lastTransitionTime: timestamp(clock), ...wanted }] },
    };
    try {
      await client.patch(FlowSchema, { name }, 'apply', body, { subresource: 'status', fieldManager, force: true });
    } catch (error) {
      if (!isNotFound(error) && !this.#stopped) log.warn('Status of a flow schema cannot be written', { flowSchema: name, error });
    }
  }
}
