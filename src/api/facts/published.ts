import table from './published.json' with { type: 'json' };

/** What the published API description says of a type beyond its facts: nothing behaves by it. */
export interface PublishedType {
  /** Version 3 of the documents alone has defaults. */
  defaults?: Record<string, unknown>;
  /** Of the items of lists and the values of maps. */
  innerDefaults?: Record<string, unknown>;
  enums?: Record<string, string[]>;
  /** Fields that are references without a word about them. */
  bare?: string[];
  unions?: unknown[];
}

export const published = table as Record<string, PublishedType>;
