import type { Pod } from '#api';
import type { AdmissionPluginFactory } from '../contract.ts';
import { isFor } from './attributes.ts';

const keys = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const seconds = 300;

/** Pods stay five minutes on a node that is lost, unless they say otherwise. upstream: plugin/pkg/admission/defaulttolerationseconds. */
export const defaultTolerationSeconds: AdmissionPluginFactory = () => ({
  name: 'DefaultTolerationSeconds',
  handles: (attributes) => (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') && isFor(attributes, '', 'pods'),
  admit({ object }) {
    const spec = (object as Pod).spec!;
    const present = spec.tolerations ?? [];
    const missing = keys.filter(
      (key) => !present.some((known) => (!known.key || known.key === key) && (!known.effect || known.effect === 'NoExecute')),
    );
    if (missing.length > 0)
      spec.tolerations = [
        ...present,
        ...missing.map((key) => ({ effect: 'NoExecute' as const, key, operator: 'Exists' as const, tolerationSeconds: seconds })),
      ];
  },
});
