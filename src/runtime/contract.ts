/**
 * The runtime's contract is CRI v1 (upstream: cri-api/pkg/apis/runtime/v1/api.proto): RuntimeService and ImageService, generated from its
 * messages. On the wire every field is optional; the codec drops zero values when it writes and leaves absent fields undefined when it reads.
 * Int64 times are nanoseconds since 1970 as numbers (exact to about 200 ns). Failures are RuntimeErrors with gRPC's code.
 */
import type { ImageService, RuntimeService } from '../api/facts/cri.ts';

export type * from '../api/facts/cri.ts';

export interface Runtime extends AsyncDisposable {
  readonly name: string;
  runtime: RuntimeService;
  images: ImageService;
  /**
   * Streams for exec, attach and port-forward. `url` is what runtime.exec/attach/portForward answered. The runtime's own protocol
   * (SPDY, WebSocket) stays inside.
   */
  stream(url: string, channels: RemoteChannels): Promise<RemoteCommand>;
  forward(url: string): Promise<PortForwarder>;
  /** Loads an OCI or Docker archive; answers the names of its images. */
  load(archivePath: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Which channels the exec or attach was asked with; they must be the ones of the ExecRequest or AttachRequest. */
export interface RemoteChannels {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** The channels of an exec or attach. Writing to `stdin` and ending it, and `resize`, go to the container. */
export interface RemoteCommand {
  stdin: NodeJS.WritableStream | undefined;
  stdout: NodeJS.ReadableStream | undefined;
  stderr: NodeJS.ReadableStream | undefined;
  resize(width: number, height: number): void;
  /** The command's end: a v4 protocol Status object (Success, or Failure with the exit code in details.causes). */
  readonly done: Promise<Record<string, unknown>>;
  close(): void;
}

export interface PortForwarder {
  /** Opens one connection to a port of the pod. The stream is the connection; `error` resolves with a message when the runtime reports one. */
  connect(port: number): Promise<{ stream: NodeJS.ReadWriteStream; error: Promise<string> }>;
  close(): void;
}

/** gRPC status codes that callers tell apart. */
export type RuntimeErrorCode =
  | 'not-found'
  | 'unavailable'
  | 'deadline-exceeded'
  | 'already-exists'
  | 'invalid-argument'
  | 'unimplemented'
  | 'unknown';

export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;
  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeError';
    this.code = code;
  }
}
