/** The variables by which containers find Services without DNS. upstream: pkg/kubelet/envvars. */
import type { Service } from '#api';

const variable = (name: string): string => name.replaceAll('-', '_').toUpperCase();
const hasAddress = (service: Service): boolean => Boolean(service.spec?.clusterIP) && service.spec!.clusterIP !== 'None';

/** The API's own Service is seen everywhere; others in their namespace, where the pod wants it. */
export function serviceEnvironment(services: readonly Service[], namespace: string, links: boolean): Map<string, string> {
  const seen = new Map<string, Service>();
  for (const service of services) {
    if (!hasAddress(service)) continue;
    const { name = '', namespace: home = '' } = service.metadata ?? {};
    if (home === 'default' && name === 'kubernetes') {
      if (!seen.has(name)) seen.set(name, service);
    } else if (home === namespace && links) seen.set(name, service);
  }
  const result = new Map<string, string>();
  for (const [name, { spec }] of seen) {
    const ports = spec?.ports ?? [];
    const address = spec!.clusterIP!;
    const first = ports[0];
    if (!first) continue;
    const prefix = variable(name);
    const bracketed = address.includes(':') ? `[${address}]` : address;
    result.set(`${prefix}_SERVICE_HOST`, address);
    result.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const port of ports) if (port.name) result.set(`${prefix}_SERVICE_PORT_${variable(port.name)}`, String(port.port));
    for (const [index, port] of ports.entries()) {
      const protocol = port.protocol ?? 'TCP';
      const url = `${protocol.toLowerCase()}://${bracketed}:${port.port}`;
      if (index === 0) result.set(`${prefix}_PORT`, url);
      const link = `${prefix}_PORT_${port.port}_${protocol}`;
      result.set(link, url);
      result.set(`${link}_PROTO`, protocol.toLowerCase());
      result.set(`${link}_PORT`, String(port.port));
      result.set(`${link}_ADDR`, address);
    }
  }
  return result;
}
