import { PriorityClass } from '#api';
import type { Pod } from '#api';
import { isNotFound } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPluginFactory } from '../contract.ts';
import { forbid, isFor } from './attributes.ts';

const group = 'scheduling.k8s.io';

/** A pod's number of priority comes from its class. upstream: plugin/pkg/admission/priority. */
export const priority: AdmissionPluginFactory = ({ client, informers }) => {
  const classes = informers.for(PriorityClass);
  const globalDefault = (): PriorityClass | undefined =>
    classes
      .list()
      .filter((item) => item.globalDefault)
      .sort((a, b) => a.value - b.value)[0];
  const find = async (attributes: AdmissionAttributes, name: string): Promise<PriorityClass> => {
    const known = classes.get(name);
    if (known) return known;
    return client.get(PriorityClass, { name }).catch((error: unknown) => {
      if (isNotFound(error)) throw forbid(attributes, `no PriorityClass with name ${name} was found`);
      throw error;
    });
  };
  const admitNew = async (attributes: AdmissionAttributes): Promise<void> => {
    const spec = (attributes.object as Pod).spec!;
    const found = spec.priorityClassName ? await find(attributes, spec.priorityClassName) : globalDefault();
    if (!spec.priorityClassName && found?.metadata?.name) spec.priorityClassName = found.metadata.name;
    const value = found?.value ?? 0;
    if (spec.priority !== undefined && spec.priority !== value)
      throw forbid(
        attributes,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    spec.priority = value;
    const policy = found ? found.preemptionPolicy : 'PreemptLowerPriority';
    if (policy === undefined) return;
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
      throw forbid(
        attributes,
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      );
    spec.preemptionPolicy = policy;
  };
  return {
    name: 'Priority',
    handles: (attributes) =>
      (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') &&
      (isFor(attributes, '', 'pods') || isFor(attributes, group, 'priorityclasses')),
    admit(attributes) {
      if (attributes.kind.resource !== 'pods') return;
      if (attributes.operation === 'CREATE') return admitNew(attributes);
      const spec = (attributes.object as Pod).spec!;
      const old = (attributes.oldObject as Pod).spec!;
      if (old.priority !== undefined) spec.priority ??= old.priority;
      if (old.preemptionPolicy !== undefined) spec.preemptionPolicy ??= old.preemptionPolicy;
    },
    validate(attributes) {
      if (attributes.kind.resource !== 'priorityclasses') return;
      const { globalDefault: wanted, metadata } = attributes.object as PriorityClass;
      const present = wanted ? globalDefault()?.metadata?.name : undefined;
      if (present !== undefined && (attributes.operation === 'CREATE' || present !== metadata?.name))
        throw forbid(attributes, `PriorityClass ${present} is already marked as default. Only one default can exist`);
    },
  };
};
