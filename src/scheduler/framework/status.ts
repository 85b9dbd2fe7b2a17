/** Outcomes of plugins are values. No status at all means success. upstream: kube-scheduler/framework Code, Status. */
export type Code =
  /** Something broke: the pod is tried again with back-off, and the error is told. */
  | 'error'
  /** Does not fit now; removing pods (preemption) or a change elsewhere may help. */
  | 'unschedulable'
  /** Does not fit, and preemption cannot help. */
  | 'unresolvable'
  /** Permit: hold the pod until it is allowed or rejected. */
  | 'wait'
  /** The plugin has nothing to do with this pod in this cycle; its later steps are left out. */
  | 'skip';

export interface Status {
  readonly code: Code;
  readonly reasons: readonly string[];
  /** The plugin that answered; set by the profile that ran it. */
  plugin?: string;
  readonly error?: unknown;
}

export const unschedulable = (...reasons: string[]): Status => ({ code: 'unschedulable', reasons });
export const unresolvable = (...reasons: string[]): Status => ({ code: 'unresolvable', reasons });
/** A status that a plugin answers again and again, as one object. */
export const constant = (plugin: string, status: Status): Status => Object.freeze({ ...status, plugin });
export const failed = (error: unknown): Status => ({
  code: 'error',
  reasons: [error instanceof Error ? error.message : String(error)],
  error,
});
export const skip: Status = Object.freeze({ code: 'skip' as const, reasons: [] });

export const isRejected = (status: Status): boolean => status.code === 'unschedulable' || status.code === 'unresolvable';
export const messageOf = (status: Status | undefined): string => status?.reasons.join(', ') ?? '';
