/**
 * The flags of a component as data: each of upstream's by name, with its type and upstream's default as written on the command line, and
 * what it does here. A flag that is known and has no effect is 'warn'; one without which the cluster would be less safe than its owner
 * believes is 'refuse'. Neither is heard of when what is given is the default.
 */
export type FlagType =
  | 'bool'
  | 'string'
  | 'int'
  | 'float'
  | 'duration'
  /** Comma-separated (as CSV), and given again to add. */
  | 'strings'
  /** Given again to add; commas are part of the value. */
  | 'stringArray'
  /** "a=b,c=d", and given again to add. */
  | 'map'
  /** "A=true,B=false", and given again to add. */
  | 'switches'
  /** "memory.available<100Mi,…". */
  | 'thresholds';

/** Type, upstream's default, and a sentence about what it does here, or 'warn', or 'refuse'. */
export type Flag = readonly [type: FlagType, fallback: string, does: string];
export type FlagTable = Readonly<Record<string, Flag>>;

export interface ValueTypes {
  bool: boolean;
  string: string;
  int: number;
  float: number;
  /** Milliseconds. */
  duration: number;
  strings: string[];
  stringArray: string[];
  map: Record<string, string>;
  switches: Record<string, boolean>;
  thresholds: Record<string, string>;
}

export type FlagValues<T extends FlagTable> = { readonly [Name in keyof T]: ValueTypes[T[Name][0]] };

/** Keeps the literal types of a table, so that a flag's value has the type its row says. */
export const flagTable = <const T extends FlagTable>(table: T): T => table;

/** What every component of Kubernetes has for its own log. upstream: component-base/logs. */
export const logFlags = flagTable({
  v: ['int', '0', 'how much is logged: 4 and more means debug'],
  vmodule: ['string', '', 'warn'],
  'logging-format': ['string', 'text', 'lines are JSON whatever this says'],
  'log-flush-frequency': ['duration', '5s', 'lines are never held back'],
  'log-text-split-stream': ['bool', 'false', 'warn'],
  'log-text-info-buffer-size': ['string', '0', 'warn'],
  'log-json-split-stream': ['bool', 'false', 'warn'],
  'log-json-info-buffer-size': ['string', '0', 'warn'],
});
