/** The CNI configuration by which the container runtime gives pods their addresses. CNI specification 1.0. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { pluginServes, pluginType } from './plugin.ts';

export const conflistName = '10-coxswain.conflist';

export interface ConflistOptions {
  /** The node's pod networks, one a family. */
  podCidrs: readonly string[];
  /** Where host-local remembers which address is whose. Default: the plugin's own /var/lib/cni/networks. */
  dataDir?: string;
  /** Default: the link's. */
  mtu?: number;
  /** The folder of plugins has our own one. */
  own?: boolean;
}

/**
 * A point-to-point link for each pod, all traffic routed by the node: what goes from pod to pod passes the node's hooks like everything
 * else, so Services and policies hold between pods of one node without help from bridge filtering.
 */
export function conflist({ podCidrs, dataDir, mtu, own }: ConflistOptions): Record<string, unknown> {
  const head = { cniVersion: '1.0.0', name: 'coxswain' };
  if (own && pluginServes(podCidrs)) return { ...head, plugins: [{ type: pluginType }] };
  return {
    ...head,
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ...(mtu !== undefined && { mtu }),
        ipam: {
          type: 'host-local',
          ...(dataDir !== undefined && { dataDir }),
          ranges: podCidrs.map((subnet) => [{ subnet }]),
          routes: podCidrs.map((subnet) => ({ dst: subnet.includes(':') ? '::/0' : '0.0.0.0/0' })),
        },
      },
    ],
  };
}

/** Writes it so that a runtime that watches the folder never sees a half. */
export async function writeConflist(folder: string, options: ConflistOptions): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = `${folder}/${conflistName}`;
  await writeFile(`${path}.new`, `${JSON.stringify(conflist(options), undefined, 2)}\n`);
  await rename(`${path}.new`, path);
}

export const removeConflist = (folder: string): Promise<void> => rm(`${folder}/${conflistName}`, { force: true });
