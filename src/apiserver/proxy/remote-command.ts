/** pods/exec, pods/attach and pods/portforward: the kubelet speaks the stream's protocol, this server joins the connections. */
import { badRequest } from '#machinery/status';
import type { ServerDependencies } from '../contract.ts';
import type { ConnectHandler, ConnectRequest } from './contract.ts';
import { forward, tunnel } from './forward.ts';
import type { ClientTls } from './forward.ts';
import { chooseContainer, podKubelet, scheduledPod } from './location.ts';

/** Query names that the kubelet knows under others. upstream: core/v1 ExecStdinParam and its like. */
const renamed: Record<string, string> = { stdin: 'input', stdout: 'output', stderr: 'error' };

const isSet = (value: string): boolean => value === '' || value === '1' || value.toLowerCase() === 'true';

function kubeletQuery(query: URLSearchParams): string {
  const passed = new URLSearchParams();
  for (const [name, value] of query) {
    if (name === 'command') passed.append(name, value);
    else if (name === 'ports' || name === 'port') passed.append('port', value);
    else if (name in renamed || name === 'tty') {
      if (isSet(value)) passed.set(renamed[name] ?? name, '1');
    }
  }
  const text = passed.toString();
  return text ? `?${text}` : '';
}

async function serve(
  dependencies: ServerDependencies,
  tls: ClientTls,
  action: 'exec' | 'attach' | 'portForward',
  { context, exchange, upgrade }: ConnectRequest,
): Promise<void> {
  const { namespace, name } = context.info;
  const { pod, nodeName } = await scheduledPod(dependencies.client, namespace, name);
  const container = action === 'portForward' ? '' : `/${encodeURIComponent(chooseContainer(pod, context.query.get('container') ?? ''))}`;
  if (action === 'exec' && context.query.getAll('command').length === 0) throw badRequest('you must specify at least 1 command');
  const location = await podKubelet(dependencies.client, nodeName);
  const path = `/${action}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}${container}${kubeletQuery(context.query)}`;
  if (upgrade) await tunnel(upgrade, location, path, tls);
  else if (exchange) await forward(exchange, location, path, tls);
}

export const remoteCommandHandlers = (dependencies: ServerDependencies, tls: ClientTls): ConnectHandler[] =>
  (
    [
      ['exec', 'exec', 'PodExecOptions'],
      ['attach', 'attach', 'PodAttachOptions'],
      ['portforward', 'portForward', 'PodPortForwardOptions'],
    ] as const
  ).map(([subresource, action, optionsKind]) => ({
    group: '',
    resource: 'pods',
    subresource,
    optionsKind,
    connect: (request) => serve(dependencies, tls, action, request),
  }));
