/** Runs admission plugins in their order. upstream: apiserver/pkg/admission/chain.go. */
import type { AdmissionAttributes, AdmissionPlugin } from '../../contract.ts';

export interface AdmissionChain {
  /** Mutating admission: plugins change `attributes.object`. Throws, or rejects, to refuse; without a promise it is done already. */
  admit(attributes: AdmissionAttributes): Promise<void> | undefined;
  validate(attributes: AdmissionAttributes): Promise<void> | undefined;
}

export function admissionChain(plugins: readonly AdmissionPlugin[]): AdmissionChain {
  const admitting = plugins.filter((plugin) => plugin.admit);
  const validating = plugins.filter((plugin) => plugin.validate);
  return {
    admit: (attributes) => ask(admitting, 'admit', attributes, 0),
    validate: (attributes) => ask(validating, 'validate', attributes, 0),
  };
}

/** Asks the plugins from the one at `first` on. Most answer at once. */
function ask(
  plugins: readonly AdmissionPlugin[],
  what: 'admit' | 'validate',
  attributes: AdmissionAttributes,
  first: number,
): Promise<void> | undefined {
  for (let index = first; index < plugins.length; index++) {
    const plugin = plugins[index]!;
    if (!plugin.handles(attributes)) continue;
    const pending = plugin[what]!(attributes);
    if (pending) return askAfter(pending, plugins, what, attributes, index + 1);
  }
  return undefined;
}

async function askAfter(
  pending: Promise<void>,
  plugins: readonly AdmissionPlugin[],
  what: 'admit' | 'validate',
  attributes: AdmissionAttributes,
  next: number,
): Promise<void> {
  await pending;
  const more = ask(plugins, what, attributes, next);
  if (more) await more;
}
