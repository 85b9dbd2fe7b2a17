/** Which form the answer takes. upstream: apiserver/pkg/endpoints/handlers/negotiation. */
import { failure, notAcceptable } from '#machinery/status';

export type Format = 'json' | 'yaml' | 'protobuf';

/** Of the group meta.k8s.io: Table, PartialObjectMetadata and its list. */
export interface Shape {
  kind: string;
  version: string;
}

export interface Accepted {
  format: Format;
  /** As Content-Type. */
  mediaType: string;
  /** Another shape than the kind's own, where the client asked for one and the resource has it. */
  as?: Shape;
  pretty: boolean;
}

/** One line a format; the first is the default. */
export const outputFormats: Record<string, Format> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
};

const shapes = new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']);
const shapeVersions = new Set(['v1', 'v1beta1']);

interface Clause {
  type: string;
  parameters: Map<string, string>;
  quality: number;
}

function clauses(header: string): Clause[] {
  const found = header.split(',').map((text): Clause => {
    const [type = '', ...rest] = text.split(';');
    const parameters = new Map<string, string>();
    let quality = 1;
    for (const part of rest) {
      const equals = part.indexOf('=');
      const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
      const value =
        equals < 0
          ? ''
          : part
              .slice(equals + 1)
              .trim()
              .replace(/^"|"$/g, '');
      if (name === 'q') quality = Number(value);
      else if (name) parameters.set(name, value);
    }
    return { type: type.trim().toLowerCase(), parameters, quality };
  });
  return found.filter(({ type, quality }) => type && !(quality <= 0)).sort((a, b) => b.quality - a.quality);
}

const json: Accepted = { format: 'json', mediaType: 'application/json', pretty: false };
const known = new Map<string, readonly Accepted[]>();

/** The forms a client accepts, best first; only those this server has. */
function acceptable(header: string): readonly Accepted[] {
  let result = known.get(header);
  if (result) return result;
  const made: Accepted[] = [];
  for (const { type, parameters } of clauses(header)) {
    const types =
      type === '*/*'
        ? ['application/json']
        : type === 'application/*'
          ? ['application/json']
          : Object.hasOwn(outputFormats, type)
            ? [type]
            : [];
    for (const mediaType of types) {
      const kind = parameters.get('as');
      const version = parameters.get('v') ?? 'v1';
      const pretty = parameters.get('pretty') === '1';
      const accepted: Accepted = { format: outputFormats[mediaType]!, mediaType, pretty };
      if (kind === undefined) made.push(accepted);
      else if (shapes.has(kind) && shapeVersions.has(version) && (parameters.get('g') ?? 'meta.k8s.io') === 'meta.k8s.io')
        made.push({ ...accepted, as: { kind, version } });
    }
  }
  result = made;
  if (known.size < 1000) known.set(header, result);
  return result;
}

export const acceptedTypes = (): string => Object.keys(outputFormats).join(', ');

/**
 * Throws NotAcceptable. `shaped`: whether what is asked for can be had as a Table or as PartialObjectMetadata; `binary`: as protobuf,
 * which custom resources have no form for, and Tables neither (clients that ask for it name JSON as well).
 */
export function negotiate(header: string | undefined, shaped: boolean, binary: boolean): Accepted {
  if (!header) return json;
  for (const accepted of acceptable(header))
    if ((!accepted.as || shaped) && (accepted.format !== 'protobuf' || (accepted.as ? accepted.as.kind !== 'Table' : binary)))
      return accepted;
  // What the router takes for a form of its own is refused by the router.
  if (!clauses(header).some(({ type }) => type === '*/*' || type === 'application/*' || Object.hasOwn(outputFormats, type)))
    throw failure(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${acceptedTypes()}`, {});
  throw notAcceptable(`only the following media types are accepted: ${acceptedTypes()}`);
}

const forPeople = /^(?:curl|Wget|Mozilla\/5\.0)/;
const untrue = new Set(['false', '0', 'f', 'F', 'False', 'FALSE']);

/** Who asks for it, and programs that people look through. upstream: handlers/negotiation isPrettyPrint. */
export function wantsPretty(query: URLSearchParams, userAgent: string): boolean {
  const asked = query.get('pretty');
  return asked ? !untrue.has(asked) : forPeople.test(userAgent);
}
