import { library } from '../check/declarations.ts';

/** For mutating policies. upstream: apiserver/pkg/cel/library/jsonpatch.go. */
export const jsonPatchLibrary = library(
  `
jsonpatch.escapeKey string_jsonpatch_escapeKey_string(string) -> string
`,
  { string_jsonpatch_escapeKey_string: (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1') },
);
