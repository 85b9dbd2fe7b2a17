import type { ServiceCIDR } from '#api';
import { IPAddress as IPAddressKind, ServiceCIDR as ServiceCIDRKind } from '#api';
import { timestamp } from '#machinery/clock';
import type { Network } from '#machinery/ip';
import { contains, containsNetwork, parseAddress, parseNetwork } from '#machinery/ip';
import { isNotFound } from '#machinery/status';
import type { Condition } from './api-types.ts';
import { conditionOf, withoutCondition } from './conditions.ts';
import type { ControllerContext, ControllerFactory } from './contract.ts';
import { source } from './contract.ts';

const finalizer = 'networking.k8s.io/service-cidr-finalizer';
/** API servers may take so long to see that a range is going away, and allocate from it until then. */
const grace = 10_000;

const networksOf = (range: ServiceCIDR): Network[] =>
  (range.spec?.cidrs ?? []).map(parseNetwork).filter((network) => network !== undefined);

/** True where nothing would be lost: other ranges hold this one, or no address is in it alone. */
function isDispensable(context: ControllerContext, range: ServiceCIDR): boolean {
  const name = range.metadata!.name;
  const others = context
    .lister(ServiceCIDRKind)
    .list()
    .filter((each) => each.metadata!.name !== name)
    .flatMap(networksOf);
  if (networksOf(range).every((network) => others.some((other) => containsNetwork(other, network)))) return true;
  return !context
    .lister(IPAddressKind)
    .list()
    .some((each) => {
      if (each.metadata!.labels?.['ipaddress.kubernetes.io/managed-by'] !== 'ipallocator.k8s.io') return false;
      const address = parseAddress(each.metadata!.name!);
      if (!address || !networksOf(range).some((network) => contains(network, address))) return false;
      return !others.some((network) => contains(network, address));
    });
}

async function setReady(context: ControllerContext, range: ServiceCIDR, condition: Omit<Condition, 'lastTransitionTime'>): Promise<void> {
  const conditions = (range.status?.conditions ?? []) as Condition[];
  const old = conditionOf(conditions, 'Ready');
  if (old?.status === condition.status && (old.reason ?? '') === (condition.reason ?? '') && old.message === condition.message) return;
  const next = [...withoutCondition(conditions, 'Ready'), { ...condition, lastTransitionTime: timestamp(context.clock) }];
  await context.client.updateStatus(ServiceCIDRKind, { ...range, status: { ...range.status, conditions: next as never } });
}

/** Keeps ranges of service addresses until none of their addresses is in use. upstream: pkg/controller/servicecidrs. */
export const serviceCidrController: ControllerFactory = () => ({
  name: 'service-cidr-controller',
  serviceAccount: 'service-cidrs-controller',
  watches: [
    source(ServiceCIDRKind, {
      // One range may become dispensable by another.
      keys: (range, context) => [
        ...(range.metadata!.name ? [range.metadata!.name] : []),
        ...context
          .lister(ServiceCIDRKind)
          .list()
          .filter((each) => each.metadata!.deletionTimestamp)
          .map((each) => each.metadata!.name!),
      ],
    }),
    source(IPAddressKind, {
      keys: (_address, context) =>
        context
          .lister(ServiceCIDRKind)
          .list()
          .filter((each) => each.metadata!.deletionTimestamp)
          .map((each) => each.metadata!.name!),
      when: (_address, _old, event) => event !== 'updated',
    }),
  ],
  async reconcile(context, key) {
    const range = context.lister(ServiceCIDRKind).get(key);
    if (!range) return;
    const finalizers = range.metadata!.finalizers ?? [];
    try {
      if (!range.metadata!.deletionTimestamp) {
        if (!finalizers.includes(finalizer)) {
          await context.client.patch(ServiceCIDRKind, { name: key }, 'strategic', { metadata: { finalizers: [finalizer] } });
          return;
        }
        await setReady(context, range, { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' });
        return;
      }
      if (!isDispensable(context, range)) {
        const message = 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';
        await setReady(context, range, { type: 'Ready', status: 'False', reason: 'Terminating', message });
        return;
      }
      const left = Date.parse(range.metadata!.deletionTimestamp) + grace - context.clock.now();
      if (left > 0) return { requeueAfter: left };
      if (!finalizers.includes(finalizer)) return;
      const body = { metadata: { '$deleteFromPrimitiveList/finalizers': [finalizer] } };
      await context.client.patch(ServiceCIDRKind, { name: key }, 'strategic', body);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  },
});
