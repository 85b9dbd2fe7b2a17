/** Every kind of volume there is. A new one is a file and a line here. */
import { configMapPlugin } from './config-map.ts';
import type { VolumePlugin } from './contract.ts';
import { downwardApiPlugin } from './downward-api.ts';
import { emptyDirPlugin } from './empty-dir.ts';
import { hostPathPlugin } from './host-path.ts';
import { imagePlugin } from './image.ts';
import { persistentVolumeClaimPlugin } from './persistent-volume-claim.ts';
import { projectedPlugin } from './projected.ts';
import { secretPlugin } from './secret.ts';

export const volumePlugins: readonly VolumePlugin[] = [
  projectedPlugin,
  configMapPlugin,
  secretPlugin,
  downwardApiPlugin,
  emptyDirPlugin,
  hostPathPlugin,
  persistentVolumeClaimPlugin,
  imagePlugin,
];
