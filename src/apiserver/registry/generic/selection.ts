/** Label and field selectors of one request, against one kind. upstream: apiserver/pkg/storage/selection_predicate.go. */
import type { KubeObject } from '#machinery/meta';
import { SelectorError, parseFieldSelector, parseLabelSelector } from '#machinery/selectors';
import { badRequest } from '#machinery/status';
import type { ServedResource } from '../../contract.ts';

export interface Selection {
  /** The selectors' text: equal ones select the same. */
  readonly text: string;
  /** Nothing is left out. */
  readonly empty: boolean;
  /** Set where only one name can match. */
  readonly name: string | undefined;
  matches(object: KubeObject): boolean;
}

/** Kinds of these groups have their field labels converted by functions of their own, with a text of their own. upstream: pkg/apis/<group>/v1/conversion.go. */
const ownText = new Set(['', 'apps', 'batch', 'events.k8s.io', 'certificates.k8s.io', 'resource.k8s.io']);

function unsupportedLabel({ kind, conform }: ServedResource, field: string): string {
  if (!conform && kind.group === 'batch') return `field label ${JSON.stringify(field)} not supported for ${kind.kind}`;
  if (!conform && kind.kind === 'ResourceSlice') return `field label not supported for ${kind.apiVersion}, Kind=${kind.kind}: ${field}`;
  return `field label not supported: ${field}`;
}

/** Throws BadRequest for selectors that cannot be read and for fields this kind cannot be selected by. */
export function selectionOf(served: ServedResource, labelSelector: string, fieldSelector: string, name = ''): Selection {
  try {
    const labels = parseLabelSelector(labelSelector);
    const fields = parseFieldSelector(fieldSelector);
    const selectable = served.rules.selectableFields ?? {};
    for (const { field } of fields.terms) {
      if (field === 'metadata.name' || (field === 'metadata.namespace' && served.fact.namespaced) || Object.hasOwn(selectable, field))
        continue;
      throw badRequest(
        served.conform || (ownText.has(served.kind.group) && Object.keys(selectable).length > 0)
          ? unsupportedLabel(served, field)
          : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    }
    const asked = fields.requiresExactMatch('metadata.name');
    if (name && !fields.empty && asked !== name) throw badRequest("fieldSelector metadata.name doesn't match requested name");
    const everyLabel = labels.empty;
    const everyField = fields.empty;
    const valueOf = (object: KubeObject) => (field: string) => {
      if (field === 'metadata.name') return object.metadata?.name;
      if (field === 'metadata.namespace') return object.metadata?.namespace;
      return selectable[field]?.(object);
    };
    return {
      text: `${labelSelector}\n${fieldSelector}\n${name}`,
      empty: everyLabel && everyField && !name,
      name: name || asked,
      matches: (object) =>
        (everyLabel || labels.matches(object.metadata?.labels)) &&
        (everyField || fields.matches(valueOf(object))) &&
        (!name || object.metadata?.name === name),
    };
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message);
    throw error;
  }
}
