import { isQuantity, parseQuantity } from '#machinery/quantity';
import type { PersistentVolumeClaimSpec } from '../facts/types.ts';

/** Warnings about a claim's spec, alone or in a StatefulSet. upstream: GetWarningsForPersistentVolumeClaimSpec. */
export function warningsForClaimSpec(spec: PersistentVolumeClaimSpec | undefined, path: string): string[] {
  const texts: string[] = [];
  for (const list of ['requests', 'limits'] as const) {
    const amount = spec?.resources?.[list]?.['storage'];
    if (amount !== undefined && isQuantity(amount) && parseQuantity(amount).milliValue() % 1000 !== 0)
      texts.push(
        `${path}.resources.${list}[storage]: fractional byte value ${JSON.stringify(parseQuantity(amount).toString())} is invalid, must be an integer`,
      );
  }
  return texts;
}
