import { ValidatingAdmissionPolicy as PolicyKind } from '#api';
import { isNotFound } from '#machinery/status';
import type { ControllerFactory } from './contract.ts';
import { source } from './contract.ts';

/** Says in a policy's status what its expressions get wrong. upstream: pkg/controller/validatingadmissionpolicystatus. */
export const validatingAdmissionPolicyStatusController: ControllerFactory = () => ({
  name: 'validatingadmissionpolicy-status-controller',
  serviceAccount: 'validatingadmissionpolicy-status-controller',
  watches: [source(PolicyKind, { when: (_policy, _old, event) => event !== 'deleted' })],
  async reconcile(context, key) {
    const policy = context.lister(PolicyKind).get(key);
    const generation = policy?.metadata!.generation ?? 0;
    if (!policy || generation <= (policy.status?.observedGeneration ?? 0)) return;
    // CEL is large, and most clusters have no policy.
    const { checkTypes } = await import('./policy-type-check.ts');
    const expressionWarnings = checkTypes(policy);
    const typeChecking = expressionWarnings.length ? { expressionWarnings } : {};
    await context.client
      .updateStatus(PolicyKind, { ...policy, status: { ...policy.status, observedGeneration: generation, typeChecking } })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  },
});
