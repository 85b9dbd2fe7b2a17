/**
 * What names, labels, annotations and keys may look like. Functions with upstream's names and texts answer a list of messages (empty: valid);
 * those that check whole metadata answer field errors.
 * Upstream counterpart: apimachinery/pkg/util/validation, api/validate/content, api/validation, apis/meta/v1/validation.
 * Read first: dns.ts, object-meta.ts.
 */
export * from './texts.ts';
export * from './dns.ts';
export * from './keys.ts';
export * from './name-rules.ts';
export * from './ranges.ts';
export * from './paths.ts';
export * from './labels.ts';
export * from './annotations.ts';
export * from './owner-references.ts';
export * from './finalizers.ts';
export * from './managed-fields.ts';
export * from './object-meta.ts';
export * from './conditions.ts';
export * from './options.ts';
