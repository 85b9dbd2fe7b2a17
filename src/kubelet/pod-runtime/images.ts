import type { Pod, Secret } from '#api';
import type { EventRecorder } from '#client';
import type { Clock } from '#machinery/clock';
import type { AuthConfig, Image, PodSandboxConfig, Runtime } from '#runtime';
import { BackOff, goDuration } from '../back-off.ts';
import { fieldPathOf, uidOf } from '../pod-spec.ts';
import { parseImageName, withDefaultTag } from './image-name.ts';
import { credentialsFor } from './pull-credentials.ts';
import { StartError } from './start-error.ts';

export interface ImageManagerOptions {
  runtime: Runtime;
  clock: Clock;
  events: EventRecorder;
  /** One pull at a time. Default true, as upstream. */
  serialize: boolean;
  maxParallel?: number | undefined;
  signal: AbortSignal;
}

export interface PresentImage {
  ref: string;
  image: Image | undefined;
}

interface PullRequest {
  pod: Pod;
  /** Whose event it is; undefined for an image volume. */
  container?: string;
  image: string;
  policy: string;
  secrets: readonly Secret[];
  sandbox: PodSandboxConfig;
  runtimeHandler: string;
  /** Gives the pull up. */
  signal: AbortSignal;
}

const prefixes: [RegExp, string, string][] = [
  [/^RegistryUnavailable/, 'RegistryUnavailable', 'the registry is unavailable'],
  [/^SignatureValidationFailed/, 'SignatureValidationFailed', 'the signature validation failed'],
];

/** Sees to it that images are there, by the policy of who needs them. upstream: pkg/kubelet/images/image_manager.go. */
export class ImageManager {
  readonly #options: ImageManagerOptions;
  readonly #backOff: BackOff;
  readonly #lastProblem = new Map<string, string>();
  readonly #waiting: (() => void)[] = [];
  #active = 0;
  /** When each image was last found in use, in milliseconds since 1970; for garbage collection. */
  readonly lastUsed = new Map<string, number>();

  constructor(options: ImageManagerOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.clock, 10_000, 300_000);
  }

  async #present(image: string, request: PullRequest): Promise<Image | undefined> {
    const answer = await this.#options.runtime.images.imageStatus({
      image: {
        image,
        annotations: request.pod.metadata?.annotations ?? {},
        ...(request.runtimeHandler && { runtimeHandler: request.runtimeHandler }),
      },
    });
    return answer.image?.id ? answer.image : undefined;
  }

  async #turn(): Promise<void> {
    const limit = this.#options.serialize ? 1 : (this.#options.maxParallel ?? Infinity);
    if (this.#active >= limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#active++;
  }

  #release(): void {
    this.#active--;
    this.#waiting.shift()?.();
  }

  /** Rejects with a StartError: InvalidImageName, ImageInspectError, ErrImageNeverPull, ErrImagePull, ImagePullBackOff. */
  async ensure(request: PullRequest): Promise<PresentImage> {
    const { events, clock } = this.#options;
    const { pod, image: requested, policy } = request;
    const path = request.container === undefined ? undefined : fieldPathOf(pod, request.container);
    const tell = (type: 'Normal' | 'Warning', reason: string, message: string): void => events.event(pod, type, reason, message, path);
    let image: string;
    try {
      image = withDefaultTag(requested);
    } catch (error) {
      const message = `Failed to apply default image tag "${requested}": ${(error as Error).message}`;
      tell('Warning', 'InspectFailed', message);
      throw new StartError('InvalidImageName', message, { cause: error });
    }
    if (policy !== 'Always') {
      let present: Image | undefined;
      try {
        present = await this.#present(image, request);
      } catch (error) {
        const message = `Failed to inspect image "": ${(error as Error).message}`;
        tell('Warning', 'InspectFailed', message);
        throw new StartError('ImageInspectError', message, { cause: error });
      }
      if (present) {
        tell('Normal', 'Pulled', `Container image "${requested}" already present on machine and can be accessed by the pod`);
        this.lastUsed.set(present.id!, clock.now());
        return { ref: present.id!, image: present };
      }
      if (policy === 'Never') {
        const message = `Container image "${requested}" is not present with pull policy of Never`;
        tell('Warning', 'ErrImageNeverPull', message);
        throw new StartError('ErrImageNeverPull', message);
      }
    }

    const key = `${uidOf(pod)}_${requested}`;
    const wait = this.#backOff.remaining(key);
    if (wait > 0) {
      const message = `Back-off pulling image "${requested}"`;
      tell('Normal', 'BackOff', message);
      const last = this.#lastProblem.get(key);
      throw new StartError('ImagePullBackOff', last ? `${message}: ${last}` : message, { retryAfter: wait });
    }
    this.#lastProblem.delete(key);
    tell('Normal', 'Pulling', `Pulling image "${requested}"`);
    const asked = clock.monotonic();
    await this.#turn();
    const begun = clock.monotonic();
    try {
      const ref = await this.#pull(image, request);
      const present = await this.#present(ref, request).catch(() => undefined);
      const now = clock.monotonic();
      tell(
        'Normal',
        'Pulled',
        `Successfully pulled image "${requested}" in ${goDuration(Math.trunc(now - begun))} (${goDuration(Math.trunc(now - asked))} including waiting). Image size: ${present?.size ?? 0} bytes.`,
      );
      this.#backOff.collect();
      this.lastUsed.set(ref, clock.now());
      return { ref, image: present };
    } catch (error) {
      request.signal.throwIfAborted();
      const text = (error as Error).message;
      tell('Warning', 'Failed', `Failed to pull image "${requested}": ${text}`);
      this.#backOff.next(key, clock.now());
      const known = prefixes.find(([prefix]) => prefix.test(text));
      const reason = known?.[1] ?? 'ErrImagePull';
      const message = known ? `image pull failed for ${requested} because ${known[2]}${text.replace(known[0], '')}` : text;
      this.#lastProblem.set(key, `${reason}: ${message}`);
      // Half of the pause: users then see that the kubelet waits, and why.
      throw new StartError(reason, message, { cause: error, retryAfter: this.#backOff.remaining(key) / 2 });
    } finally {
      this.#release();
    }
  }

  async #pull(image: string, request: PullRequest): Promise<string> {
    const { runtime } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, request.signal]);
    const spec = {
      image,
      annotations: request.pod.metadata?.annotations ?? {},
      ...(request.runtimeHandler && { runtimeHandler: request.runtimeHandler }),
    };
    const candidates: (AuthConfig | undefined)[] = credentialsFor(parseImageName(image).repository, request.secrets);
    if (!candidates.length) candidates.push(undefined);
    let problem: unknown;
    for (const auth of candidates)
      try {
        const answer = await runtime.images.pullImage({ image: spec, sandboxConfig: request.sandbox, ...(auth && { auth }) }, { signal });
        return answer.imageRef ?? image;
      } catch (error) {
        problem = error;
      }
    throw problem;
  }

  /** Forgets the pauses of a pod. */
  forget(uid: string): void {
    this.#backOff.resetPrefix(`${uid}_`);
    for (const key of this.#lastProblem.keys()) if (key.startsWith(`${uid}_`)) this.#lastProblem.delete(key);
  }
}
