/**
 * Failures of the API as values: metav1.Status, made by functions with upstream's names and texts.
 * upstream: apimachinery/pkg/api/errors, apimachinery/pkg/util/validation/field.
 */
export * from './status.ts';
export * from './field.ts';
