import table from './schema.json' with { type: 'json' };

/** One field of a type. */
export interface FieldFact {
  /** 'string' | 'bytes' | 'int32' | 'int64' | 'double' | 'boolean' | 'any', or the name of a type in the schema; "[]x" for a list inside a map. */
  type: string;
  repeated?: boolean;
  /** A map from strings to `type`. */
  map?: boolean;
  /** The protobuf field number. */
  number?: number;
  /** The protobuf numbers of the messages that the field sits in on the wire where JSON has it inline (outermost first). */
  inline?: number[];
  /** The Go struct that the field is in, which its own struct embeds; decoding errors name it. */
  embedded?: string;
  /** On the wire a list is a message with one repeated field (ExtraValue, Verbs). */
  items?: boolean;
  /** Absent and zero are different values: a zero on the wire was said on purpose. */
  pointer?: boolean;
  /** Written by Go even when zero (no omitempty, or a struct). */
  always?: boolean;
  /** Go's name of the type where it has one of its own: "v1.TaintEffect", "[]v1.FinalizerName". */
  go?: string;
  /** The protobuf scalar, where it differs from what JSON suggests. */
  wire?: string;
  required?: boolean;
  default?: unknown;
  format?: string;
  enum?: string[];
  listType?: 'atomic' | 'set' | 'map';
  listMapKeys?: string[];
  mapType?: 'atomic' | 'granular';
  /** "merge", "replace", "retainKeys", joined by commas. */
  patchStrategy?: string;
  patchMergeKey?: string;
}

export interface TypeFact {
  fields?: Record<string, FieldFact>;
  /** For types that are one JSON value: 'string', 'object', 'any'. */
  scalar?: string;
  format?: string;
  mapType?: 'atomic' | 'granular';
  gvks?: { group: string; version: string; kind: string }[];
}

/** Every type by its published name ("io.k8s.api.core.v1.Pod"). */
export const schema = table as Record<string, TypeFact>;
