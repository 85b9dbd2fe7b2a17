import type { Pod } from '#api';
import { forbiddenField, invalid } from '#machinery/status';
import type { AdmissionPluginFactory } from '../contract.ts';
import { isFor } from './attributes.ts';
import { containersOf } from './pod-security/check.ts';

/** Where a server is told so, no container may be privileged. upstream: --allow-privileged; there a part of validation. */
export const forbidPrivileged: AdmissionPluginFactory = () => ({
  name: 'ForbidPrivileged',
  handles: (attributes) =>
    (attributes.operation === 'CREATE' && isFor(attributes, '', 'pods')) ||
    (attributes.operation === 'UPDATE' && isFor(attributes, '', 'pods', '', 'ephemeralcontainers')),
  validate({ object, name }) {
    const { spec } = object as Pod;
    const errors = containersOf(spec!).flatMap((container, index) =>
      container.securityContext?.privileged
        ? [forbiddenField(`spec.containers[${index}].securityContext.privileged`, 'disallowed by cluster policy')]
        : [],
    );
    if (errors.length > 0) throw invalid({ group: '', kind: 'Pod' }, name, errors);
  },
});
