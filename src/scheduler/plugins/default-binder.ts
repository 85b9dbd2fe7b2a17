import { Pod } from '#api';
import type { PluginFactory } from '../contract.ts';
import { failed } from '../framework/status.ts';

/** Stores the decision: posts a Binding. upstream: plugins/defaultbinder. */
export const defaultBinder: PluginFactory = ({ client }) => ({
  name: 'DefaultBinder',
  events: () => [],
  async bind(_state, { pod, namespace, name }, nodeName) {
    try {
      await client.createSubresource(Pod, { namespace, name }, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { namespace, name, ...(pod.metadata?.uid && { uid: pod.metadata.uid }) },
        target: { kind: 'Node', name: nodeName },
      });
      return undefined;
    } catch (error) {
      return failed(error);
    }
  },
});
