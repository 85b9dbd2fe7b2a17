import type { Service } from '#api';
import type { AdmissionPluginFactory } from '../contract.ts';
import { forbid, isFor } from './attributes.ts';

/** Nobody takes addresses for his Service that he may not have. Off by default. upstream: plugin/pkg/admission/network/denyserviceexternalips. */
export const denyServiceExternalIPs: AdmissionPluginFactory = () => ({
  name: 'DenyServiceExternalIPs',
  handles: (attributes) => (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') && isFor(attributes, '', 'services'),
  validate(attributes) {
    const before = new Set((attributes.oldObject as Service | undefined)?.spec?.externalIPs);
    const added = ((attributes.object as Service).spec?.externalIPs ?? []).some((ip) => !before.has(ip));
    if (added) throw forbid(attributes, 'Use of external IPs is denied by admission control.');
  },
});
