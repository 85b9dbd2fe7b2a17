/**
 * Patches of the API: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and strategic merge patch. Apply patches are in #machinery/apply.
 * Upstream counterpart: evanphx/json-patch, apimachinery/pkg/util/strategicpatch, apiserver/pkg/endpoints/handlers/patch.go.
 * Invariant: neither the document nor the patch is changed; the answer shares what did not change. Failures are StatusErrors as the API
 * answers them. Read first: strategic.ts.
 */
export { jsonPatch, jsonPatchUnknownFields, maxJsonPatchOperations } from './json-patch.ts';
export { mergePatch } from './merge-patch.ts';
export { strategicMerge } from './strategic.ts';
export { factSchema, untyped } from './schema.ts';
export type { PatchSchema } from './schema.ts';
export { createMergePatch } from './create.ts';
export { goFormat } from './go-format.ts';
export type { Json, JsonObject } from './json.ts';
