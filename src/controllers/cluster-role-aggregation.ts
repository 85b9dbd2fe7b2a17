import type { ClusterRole } from '#api';
import { ClusterRole as ClusterRoleKind } from '#api';
import { equal } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { ControllerFactory } from './contract.ts';
import { source } from './contract.ts';
import { matches } from './selector.ts';
import { canonicalJson } from './template-hash.ts';

/** Puts into roles that gather others the rules of those. upstream: pkg/controller/clusterroleaggregation. */
export const clusterRoleAggregationController: ControllerFactory = () => ({
  name: 'clusterrole-aggregation-controller',
  serviceAccount: 'clusterrole-aggregation-controller',
  watches: [
    source(ClusterRoleKind, {
      keys: (_role, context) =>
        context
          .lister(ClusterRoleKind)
          .list()
          .filter((each: ClusterRole) => each.aggregationRule)
          .map((each) => each.metadata!.name!),
    }),
  ],
  async reconcile(context, key) {
    const role = context.lister(ClusterRoleKind).get(key);
    if (!role?.aggregationRule) return;
    const rules: NonNullable<ClusterRole['rules']> = [];
    const seen = new Set<string>();
    const all = context
      .lister(ClusterRoleKind)
      .list()
      .toSorted((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1));
    for (const selector of role.aggregationRule.clusterRoleSelectors ?? [])
      for (const each of all) {
        if (each.metadata!.name === key || !matches(selector)(each.metadata!.labels)) continue;
        for (const rule of each.rules ?? []) {
          const text = canonicalJson(rule);
          if (seen.has(text)) continue;
          seen.add(text);
          rules.push(rule);
        }
      }
    if (equal(rules, role.rules ?? [])) return;
    await context.client.update(ClusterRoleKind, { ...role, rules }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  },
});
