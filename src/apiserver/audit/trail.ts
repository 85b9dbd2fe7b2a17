import type { Status } from '#api';
import type { Clock } from '#machinery/clock';
import { internalError } from '#machinery/status';
import type { KubeObject } from '#machinery/meta';
import { parseJson } from '#machinery/json';
import type { RequestInfo, UserInfo } from '../contract.ts';
import { microTime, objectReference, responseStatus, shortUserAgent, sourceIPs, userOf, withoutManagedFields } from './event.ts';
import type { Asked, AuditEvent } from './event.ts';
import type { AuditPolicy, Stage, Verdict } from './policy.ts';

/** Where events go. */
export interface AuditBackend {
  /**
   * False where the event could not be kept and no request may go on without (blocking-strict); a promise where the request waits for it
   * to be kept. Never throws, never rejects.
   */
  record(event: AuditEvent): boolean | Promise<boolean>;
  /** Writes what is still held back. */
  close(): Promise<void>;
}

export interface AuditedRequest {
  auditID: string;
  /** What is told of how it came; requests of this process come by no connection. */
  exchange: Asked;
  info: RequestInfo;
  user: UserInfo;
  /** Milliseconds since 1970. */
  received: number;
  annotations: Record<string, string>;
}

/** What is written down of one request. */
export class AuditTrail {
  readonly #request: AuditedRequest;
  readonly #verdict: Verdict;
  readonly #backends: readonly AuditBackend[];
  readonly #clock: Clock;
  #impersonated: UserInfo | undefined;
  #meta: KubeObject['metadata'];
  #requestObject: unknown;
  #responseObject: unknown;
  #status: Status | undefined;
  #started = false;

  constructor(request: AuditedRequest, verdict: Verdict, backends: readonly AuditBackend[], clock: Clock) {
    this.#request = request;
    this.#verdict = verdict;
    this.#backends = backends;
    this.#clock = clock;
  }

  get wantsResponse(): boolean {
    return this.#verdict.level === 'RequestResponse';
  }

  /** Throws, or rejects, where no request may go on that is not written down. A promise: the request waits. */
  received(): void | Promise<void> {
    const kept = this.#record('RequestReceived');
    if (kept instanceof Promise) return kept.then(orThrow);
    orThrow(kept);
  }

  impersonated(user: UserInfo): void {
    this.#impersonated = user;
  }

  /** The object as it was sent, before anybody changed it; for patches the patch. */
  requestObject(object: unknown, isPatch = false): void {
    const meta = isPatch ? undefined : (object as KubeObject | undefined)?.metadata;
    if (meta) this.#meta ??= { ...meta };
    if (this.#verdict.level === 'Metadata' || object === undefined) return;
    // A copy: admission and strategies change the object afterwards.
    const copy: unknown = parseJson(JSON.stringify(object));
    this.#requestObject = this.#verdict.omitManagedFields ? withoutManagedFields(copy) : copy;
  }

  /** `json`: the answer as it is sent, or would be in JSON. */
  response(json: Uint8Array): void {
    const value: unknown = parseJson(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString());
    this.#responseObject = this.#verdict.omitManagedFields ? withoutManagedFields(value) : value;
  }

  /** An answer that is a Status. */
  status(status: Status): void {
    this.#status = status;
  }

  /** The head of a long answer was sent. */
  started(code: number): void {
    if (this.#started) return;
    this.#started = true;
    void this.#record('ResponseStarted', code);
  }

  /** `longRunning`: its start is told as well, where that has not been. */
  complete(code: number, failure: Status | undefined, longRunning: boolean): void {
    if (failure) {
      this.#status = failure;
      if (this.wantsResponse) this.#responseObject ??= failure;
    }
    if (longRunning) this.started(code);
    void this.#record('ResponseComplete', code);
  }

  #record(stage: Stage, code?: number): boolean | Promise<boolean> {
    if (this.#verdict.omitStages.has(stage)) return true;
    const { auditID, exchange, info, user, received, annotations } = this.#request;
    const agent = shortUserAgent(exchange.headers['user-agent'] as string | undefined);
    const ips = sourceIPs(exchange.headers, exchange.remoteAddress);
    const event: AuditEvent = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: this.#verdict.level,
      auditID,
      stage,
      requestURI: exchange.url,
      verb: info.verb,
      user: userOf(user),
      ...(this.#impersonated && { impersonatedUser: userOf(this.#impersonated) }),
      ...(ips.length > 0 && { sourceIPs: ips }),
      ...(agent && { userAgent: agent }),
      ...(info.isResourceRequest && { objectRef: objectReference(info, this.#meta) }),
      ...(code !== undefined && { responseStatus: responseStatus(code, this.#status) }),
      ...(this.#requestObject !== undefined && { requestObject: this.#requestObject }),
      ...(this.#responseObject !== undefined && { responseObject: this.#responseObject }),
      requestReceivedTimestamp: microTime(received),
      stageTimestamp: microTime(this.#clock.now()),
      ...(Object.keys(annotations).length > 0 && { annotations: sorted(annotations) }),
    };
    const kept = this.#backends.map((backend) => backend.record(event));
    if (kept.some((answer) => answer instanceof Promise)) return allKept(kept);
    return !kept.includes(false);
  }
}

async function allKept(answers: readonly (boolean | Promise<boolean>)[]): Promise<boolean> {
  const all = await Promise.all(answers.map((answer) => Promise.resolve(answer)));
  return !all.includes(false);
}

function orThrow(kept: boolean): void {
  if (!kept) throw internalError(new Error('failed to store audit event'));
}

const sorted = (values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).sort(([left], [right]) => (left < right ? -1 : 1)));

/** Begins trails. */
export class Auditor {
  readonly #policy: AuditPolicy;
  readonly #backends: readonly AuditBackend[];
  readonly #clock: Clock;

  constructor(policy: AuditPolicy, backends: readonly AuditBackend[], clock: Clock) {
    this.#policy = policy;
    this.#backends = backends;
    this.#clock = clock;
  }

  /** Undefined where the policy wants nothing of the request. */
  begin(request: AuditedRequest): AuditTrail | undefined {
    const verdict = this.#policy(request.user, request.info);
    return verdict.level === 'None' ? undefined : new AuditTrail(request, verdict, this.#backends, this.#clock);
  }

  /** Whose credentials were bad is nobody: only the answer is told. upstream: endpoints/filters/authn_audit.go. */
  unauthenticated(request: AuditedRequest, methods: readonly string[]): void {
    const trail = this.begin(request);
    if (!trail) return;
    const attempted =
      methods.length > 0 ? `Authentication failed, attempted: ${methods.join(', ')}` : 'Authentication failed, no credentials provided';
    trail.status({ metadata: {}, message: attempted } as Status);
    trail.started(401);
  }

  async close(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.close()));
  }
}
