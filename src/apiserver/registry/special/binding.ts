import type { Binding, Pod } from '#api';
import type { KubeObject } from '#machinery/meta';
import { draft } from '#machinery/meta';
import type { FieldError } from '#machinery/status';
import { badRequest, conflict, invalid, notSupported, required } from '#machinery/status';
import type { Endpoint, EndpointFactory, RequestContext } from '../contract.ts';
import { setPodCondition } from './pod-condition.ts';
import { success } from './success.ts';

function validate({ target }: Binding): FieldError[] {
  const errors: FieldError[] = [];
  if (target.kind && target.kind !== 'Node') errors.push(notSupported('target.kind', target.kind, ['Node', '<empty>']));
  if (!target.name) errors.push(required('target.name'));
  return errors;
}

/** Puts a pod on a node: the scheduler's one write. upstream: pkg/registry/core/pod/storage BindingREST, LegacyBindingREST. */
export const podBinding: EndpointFactory = ({ registry, clock }) => ({
  group: '',
  resource: 'pods',
  subresource: 'binding',
  async create(context, name, body) {
    const binding = body as Binding;
    if (binding.metadata?.name !== name) throw badRequest('name in URL does not match name in Binding object');
    const errors = validate(binding);
    if (errors.length > 0) throw invalid({ group: '', kind: 'Binding' }, name, errors);
    await registry
      .storage('', 'pods')!
      .update(context, context.info.namespace, name, (old) => assign(old as Pod, binding, clock), 'binding', { direct: true });
    return success();
  },
});

function assign(old: Pod, binding: Binding, clock: Parameters<typeof setPodCondition>[2]): KubeObject {
  const name = old.metadata?.name ?? '';
  const refuse = (text: string): Error => conflict({ group: '', resource: 'pods/binding' }, name, text);
  const { uid, resourceVersion, annotations, labels } = binding.metadata ?? {};
  const mismatch = (word: string, wanted: string, found: string): Error =>
    conflict(
      { group: '', resource: 'pods' },
      name,
      `Precondition failed: ${word} in precondition: ${wanted}, ${word} in object meta: ${found}`,
    );
  if (uid && uid !== old.metadata?.uid) throw mismatch('UID', uid, old.metadata?.uid ?? '');
  if (resourceVersion && resourceVersion !== old.metadata?.resourceVersion)
    throw mismatch('ResourceVersion', resourceVersion, old.metadata?.resourceVersion ?? '');
  if (old.metadata?.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (old.spec?.nodeName) throw refuse(`pod ${name} is already assigned to node "${old.spec.nodeName}"`);
  if (old.spec?.schedulingGates?.length) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  const pod = draft(old);
  pod.spec!.nodeName = binding.target.name!;
  if (pod.status) delete pod.status.nominatedNodeName;
  if (annotations) pod.metadata!.annotations = { ...pod.metadata!.annotations, ...annotations };
  if (labels) pod.metadata!.labels = { ...pod.metadata!.labels, ...labels };
  setPodCondition(pod, { type: 'PodScheduled', status: 'True' }, clock);
  return pod;
}

/** POST to `bindings` is POST to the named pod's `binding`. */
export const legacyBindings: EndpointFactory = (dependencies) => {
  const { create } = podBinding(dependencies) as Required<Pick<Endpoint, 'create'>>;
  return {
    group: '',
    resource: 'bindings',
    subresource: '',
    create: (context: RequestContext, _name, body) => create(context, body.metadata?.name ?? '', body),
  };
};
