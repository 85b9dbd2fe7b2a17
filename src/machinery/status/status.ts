import type { Status } from '../../api/facts/types.ts';
import type { FieldError } from './field.ts';

export type StatusReason =
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Invalid'
  | 'ServerTimeout'
  | 'StoreReadError'
  | 'Timeout'
  | 'TooManyRequests'
  | 'BadRequest'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'InternalError'
  | 'Expired'
  | 'ServiceUnavailable'
  | '';

/** A failure that the API answers with `status`. Its message is the Status's message. */
export class StatusError extends Error {
  readonly status: Status;

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message, options);
    this.name = 'StatusError';
    this.status = status;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): StatusReason {
    return (this.status.reason ?? '') as StatusReason;
  }
}

/** What an error names: the resource as the API spells it ("pods"), with its group. */
export interface Qualified {
  group: string;
  /** Plural resource, or the kind for `invalid`. */
  resource: string;
}

const qualified = ({ group, resource }: Qualified): string => (group ? `${resource}.${group}` : resource);

export function failure(
  code: number,
  reason: StatusReason | undefined,
  message: string,
  details?: Status['details'],
  cause?: unknown,
): StatusError {
  return new StatusError(
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason && { reason }),
      ...(details && { details }),
      code,
    },
    cause === undefined ? undefined : { cause },
  );
}

const about = ({ group, resource }: Qualified, name: string): NonNullable<Status['details']> => ({
  ...(name && { name }),
  ...(group && { group }),
  ...(resource && { kind: resource }),
});

export const notFound = (resource: Qualified, name: string): StatusError =>
  failure(404, 'NotFound', `${qualified(resource)} "${name}" not found`, about(resource, name));
export const alreadyExists = (resource: Qualified, name: string): StatusError =>
  failure(409, 'AlreadyExists', `${qualified(resource)} "${name}" already exists`, about(resource, name));
export const conflict = (resource: Qualified, name: string, detail: string): StatusError =>
  failure(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${detail}`, about(resource, name));
export const modified = (resource: Qualified, name: string): StatusError =>
  conflict(resource, name, 'the object has been modified; please apply your changes to the latest version and try again');
export const unauthorized = (message = 'Unauthorized'): StatusError => failure(401, 'Unauthorized', message);
export const forbidden = (resource: Qualified, name: string, detail: string): StatusError =>
  failure(
    403,
    'Forbidden',
    resource.resource ? `${qualified(resource)}${name ? ` "${name}"` : ''} is forbidden: ${detail}` : `forbidden: ${detail}`,
    about(resource, name),
  );
export const badRequest = (message: string): StatusError => failure(400, 'BadRequest', message);
export const gone = (message: string): StatusError => failure(410, 'Gone', message);
export const expired = (message: string): StatusError => failure(410, 'Expired', message);
export const methodNotSupported = (resource: Qualified, verb: string): StatusError =>
  failure(405, 'MethodNotAllowed', `${verb} is not supported on resources of kind "${qualified(resource)}"`, about(resource, ''));
export const notAcceptable = (message: string): StatusError => failure(406, 'NotAcceptable', message);
export const unsupportedMediaType = (message: string): StatusError => failure(415, 'UnsupportedMediaType', message);
export const tooLarge = (message: string): StatusError => failure(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`);
export const tooManyRequests = (message: string, retryAfterSeconds: number): StatusError =>
  failure(429, 'TooManyRequests', message, { retryAfterSeconds });
export const timeout = (message: string, retryAfterSeconds = 0): StatusError =>
  failure(504, 'Timeout', `Timeout: ${message}`, { retryAfterSeconds });
export const serviceUnavailable = (message: string): StatusError => failure(503, 'ServiceUnavailable', message);
export const internalError = (cause: unknown): StatusError => {
  const message = cause instanceof Error ? cause.message : String(cause);
  return failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }, cause);
};

/** 422: the object does not validate. `kind` is the Kind, with its group. */
export function invalid(kind: { group: string; kind: string }, name: string, errors: readonly FieldError[]): StatusError {
  const lines = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  const detail = lines.length === 1 ? lines[0]! : `[${lines.join(', ')}]`;
  return failure(422, 'Invalid', `${kind.group ? `${kind.kind}.${kind.group}` : kind.kind} "${name}" is invalid: ${detail}`, {
    ...(name && { name }),
    ...(kind.group && { group: kind.group }),
    ...(kind.kind && { kind: kind.kind }),
    causes: errors.map((error) => ({ reason: error.type, message: error.message, field: error.field })),
  });
}

export const isStatus = (error: unknown, ...reasons: StatusReason[]): error is StatusError =>
  error instanceof StatusError && (reasons.length === 0 || reasons.includes(error.reason));
export const isNotFound = (error: unknown): error is StatusError => isStatus(error, 'NotFound');
export const isConflict = (error: unknown): error is StatusError => isStatus(error, 'Conflict');
export const isAlreadyExists = (error: unknown): error is StatusError => isStatus(error, 'AlreadyExists');
export const isExpired = (error: unknown): error is StatusError => isStatus(error, 'Expired', 'Gone');
