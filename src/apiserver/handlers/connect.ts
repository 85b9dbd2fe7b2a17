/** Streaming subresources: admission, then the exchange goes to the handler. upstream: apiserver/pkg/endpoints/handlers/rest.go ConnectResource. */
import { kindFact } from '#api/facts';
import type { AdmissionAttributes, RequestInfo } from '../contract.ts';
import type { ConnectRequest } from '../proxy/contract.ts';
import type { Handlers } from './dispatch.ts';

/** Whether a stream may be served there. */
export const streams = ({ table }: Handlers, { group, resource, subresource }: RequestInfo): boolean =>
  subresource !== '' && table.connect(group, resource, subresource) !== undefined;

/** False where no stream is served under the request's path. */
export async function connect(handlers: Handlers, request: ConnectRequest): Promise<boolean> {
  const { context } = request;
  const { info } = context;
  if (!info.subresource) return false;
  const handler = handlers.table.connect(info.group, info.resource, info.subresource);
  if (!handler) return false;
  if (handler.optionsKind !== undefined) {
    const fact =
      handlers.table.find(info.group, info.version, info.resource)?.served.fact ?? kindFact(info.group, info.version, info.resource);
    const attributes: AdmissionAttributes = {
      operation: 'CONNECT',
      kind: {
        group: info.group,
        version: info.version,
        kind: handler.optionsKind,
        resource: info.resource,
        namespaced: fact?.namespaced ?? info.namespace !== '',
        apiVersion: info.group ? `${info.group}/${info.version}` : info.version,
      },
      subresource: info.subresource,
      namespace: info.namespace,
      name: info.name,
      object: connectOptions(handler.optionsKind, context.query, request.rest),
      oldObject: undefined,
      options: {},
      dryRun: context.dryRun,
      user: context.user,
      warn: (text) => context.warn(text),
      annotate: (key, value) => context.annotate(key, value),
    };
    const chain = handlers.admission();
    await chain.admit(attributes);
    await chain.validate(attributes);
  }
  context.audit?.started(request.upgrade ? 101 : 200);
  await handler.connect(request);
  return true;
}

const booleans = new Set(['stdin', 'stdout', 'stderr', 'tty', 'follow', 'previous', 'timestamps']);

/** The options object that admission sees (PodExecOptions …), from the query. */
function connectOptions(kind: string, query: URLSearchParams, rest: string): AdmissionAttributes['object'] {
  const options: Record<string, unknown> = { kind, apiVersion: 'v1' };
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    if (name === 'command') options[name] = values;
    else if (name === 'ports') options[name] = values.flatMap((value) => value.split(',')).map(Number);
    else if (booleans.has(name)) options[name] = !['false', '0'].includes(values[0]!.toLowerCase());
    else options[name] = values[0];
  }
  if (rest && kind.endsWith('ProxyOptions')) options['path'] = rest.slice(1);
  return options as AdmissionAttributes['object'];
}
