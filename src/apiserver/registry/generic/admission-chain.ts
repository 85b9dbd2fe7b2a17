/** Runs admission plugins in their order. upstream: apiserver/pkg/admission/chain.go. */
import type { AdmissionAttributes, AdmissionPlugin } from '../../contract.ts';

export interface AdmissionChain {
  /** Mutating admission: plugins change `attributes.object`. Throws to refuse. */
  admit(attributes: AdmissionAttributes): Promise<void>;
  validate(attributes: AdmissionAttributes): Promise<void>;
}

export function admissionChain(plugins: readonly AdmissionPlugin[]): AdmissionChain {
  const admitting = plugins.filter((plugin) => plugin.admit);
  const validating = plugins.filter((plugin) => plugin.validate);
  return {
    async admit(attributes) {
      for (const plugin of admitting) {
        if (!plugin.handles(attributes)) continue;
        const pending = plugin.admit!(attributes);
        if (pending) await pending;
      }
    },
    async validate(attributes) {
      for (const plugin of validating) {
        if (!plugin.handles(attributes)) continue;
        const pending = plugin.validate!(attributes);
        if (pending) await pending;
      }
    },
  };
}
