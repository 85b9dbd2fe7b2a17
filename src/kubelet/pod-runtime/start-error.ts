/** A container that could not be started, with the reason users see in its status. upstream: kuberuntime's ErrCreateContainerConfig and the like. */
export class StartError extends Error {
  readonly reason: string;
  /** Milliseconds to wait before it makes sense to try again. */
  readonly retryAfter: number | undefined;

  constructor(reason: string, message: string, options: ErrorOptions & { retryAfter?: number } = {}) {
    super(message, options);
    this.name = 'StartError';
    this.reason = reason;
    this.retryAfter = options.retryAfter;
  }
}
