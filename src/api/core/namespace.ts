/** upstream: pkg/registry/core/namespace/strategy.go. */
import { Namespace } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { validateNamespaceName } from '#machinery/names';
import { validateNamespace, validateNamespaceStatus } from './namespace-validation.ts';

/** Removed by the namespace controller when the namespace's content is gone. */
export const namespaceFinalizer = 'kubernetes';
const nameLabel = 'kubernetes.io/metadata.name';

function labelWithName(namespace: Namespace): void {
  const name = namespace.metadata?.name;
  if (name && namespace.metadata!.labels?.[nameLabel] !== name)
    namespace.metadata!.labels = { ...namespace.metadata!.labels, [nameLabel]: name };
}

export const namespaceRules = defineKind<Namespace>({
  kind: Namespace,
  applyDefaults: (namespace) => {
    labelWithName(namespace);
    if (namespace.status) namespace.status.phase ||= 'Active';
    else namespace.status = { phase: 'Active' };
  },
  prepareForCreate: (namespace) => {
    namespace.status = { phase: 'Active' };
    const spec = (namespace.spec ??= {});
    if (!spec.finalizers?.includes(namespaceFinalizer)) spec.finalizers = [...(spec.finalizers ?? []), namespaceFinalizer];
    labelWithName(namespace);
  },
  prepareForUpdate: (namespace, old) => {
    const spec = (namespace.spec ??= {});
    if (old.spec?.finalizers) spec.finalizers = old.spec.finalizers;
    else delete spec.finalizers;
    keepStatus(namespace, old);
    labelWithName(namespace);
  },
  validateName: validateNamespaceName,
  validate: validateNamespace,
  validateUpdate: validateNamespace,
  subresources: {
    status: { prepareForUpdate: keepSpec, validateUpdate: validateNamespaceStatus },
    finalize: { prepareForUpdate: keepStatus, validateUpdate: validateNamespace },
  },
  generation: false,
  columns: [text('Status', (namespace) => namespace.status?.phase ?? ''), ageColumn],
  selectableFields: {
    'status.phase': (namespace) => namespace.status?.phase ?? '',
    name: (namespace) => namespace.metadata?.name ?? '',
  },
});
