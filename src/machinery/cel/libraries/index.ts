import type { Library } from '../check/declarations.ts';
import { authzLibrary } from './authz.ts';
import { cidrLibrary } from './cidr.ts';
import { formatLibrary } from './format.ts';
import { ipLibrary } from './ip.ts';
import { listsExtensionLibrary } from './lists-extension.ts';
import { listsLibrary } from './lists.ts';
import { operatorsLibrary } from './operators.ts';
import { optionalLibrary } from './optional.ts';
import { quantityLibrary } from './quantity.ts';
import { regexLibrary } from './regex.ts';
import { semverLibrary } from './semver.ts';
import { setsLibrary } from './sets.ts';
import { standardLibrary } from './standard.ts';
import { stringsLibrary } from './strings.ts';
import { timeLibrary } from './time.ts';
import { urlsLibrary } from './urls.ts';

/** What every expression in Kubernetes v1.35 may use. upstream: apiserver/pkg/cel/environment/base.go. */
export const libraries: readonly Library[] = [
  operatorsLibrary,
  standardLibrary,
  timeLibrary,
  optionalLibrary,
  stringsLibrary,
  urlsLibrary,
  regexLibrary,
  listsLibrary,
  authzLibrary,
  quantityLibrary,
  setsLibrary,
  ipLibrary,
  cidrLibrary,
  formatLibrary,
  semverLibrary,
  listsExtensionLibrary,
];
