import type { Operation } from '../../contract.ts';
import type { DeleteOptions, RequestContext } from '../contract.ts';

/** The options object that admission sees. */
export function requestOptions(operation: Operation, context: RequestContext, options: DeleteOptions = {}): Record<string, unknown> {
  const names = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions', CONNECT: '' };
  const fieldValidation = context.query.get('fieldValidation');
  return {
    kind: context.info.verb === 'patch' && operation === 'UPDATE' ? 'PatchOptions' : names[operation],
    apiVersion: 'meta.k8s.io/v1',
    ...(context.dryRun && { dryRun: ['All'] }),
    ...(operation !== 'DELETE' && context.query.get('fieldManager') && { fieldManager: context.query.get('fieldManager') }),
    ...(operation !== 'DELETE' && fieldValidation && { fieldValidation }),
    ...(operation === 'DELETE' && options),
  };
}
