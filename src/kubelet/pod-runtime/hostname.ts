/** A pod's name for itself. upstream: kubelet_pods.go GeneratePodHostNameAndDomain, pkg/kubelet/util GetNodenameForKernel. */
import type { Pod } from '#api';
import { nameOf, namespaceOf, specOf } from '../pod-spec.ts';

const maximum = 63;
const kernelMaximum = 64;

function shortened(podName: string, hostname: string): string {
  if (hostname.length <= maximum) return hostname;
  const cut = hostname.slice(0, maximum).replace(/[-.]+$/, '');
  if (!cut) throw new Error(`hostname for pod "${podName}" was invalid: "${hostname}"`);
  return cut;
}

export function podHostname(pod: Pod, clusterDomain: string): { hostname: string; domain: string } {
  const spec = specOf(pod);
  if (spec.hostnameOverride !== undefined) return { hostname: shortened(nameOf(pod), spec.hostnameOverride), domain: '' };
  const hostname = shortened(nameOf(pod), spec.hostname || nameOf(pod));
  return { hostname, domain: spec.subdomain ? `${spec.subdomain}.${namespaceOf(pod)}.svc.${clusterDomain}` : '' };
}

/** The name given to the kernel: short, or the whole one where the pod wants that. Throws where that is too long. */
export function kernelHostname(pod: Pod, clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain);
  if (specOf(pod).setHostnameAsFQDN !== true || !domain) return hostname;
  const whole = `${hostname}.${domain}`;
  if (whole.length > kernelMaximum)
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${whole} is too long (${kernelMaximum} characters is the max, ${whole.length} characters requested)`,
    );
  return whole;
}
