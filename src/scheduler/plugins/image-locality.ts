import type { NodeInfo } from '../cache/node-info.ts';
import { maxNodeScore } from '../contract.ts';
import type { PluginFactory } from '../contract.ts';

const megabyte = 1024 * 1024;
const lowerBound = 23 * megabyte;
const upperBoundPerContainer = 1000 * megabyte;

const withTag = (image: string): string => (image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image);

function imageScore(node: NodeInfo, image: string | undefined, nodes: number): number {
  const state = image && node.images.get(withTag(image));
  return state ? Math.trunc((state.size * state.nodes) / nodes) : 0;
}

/** Prefers nodes that have the pod's images, weighed by their size and by how widely they are spread. upstream: plugins/imagelocality. */
export const imageLocality: PluginFactory = ({ cache }) => ({
  name: 'ImageLocality',
  local: true,
  events: () => [],
  score(_state, { pod }, node) {
    if (node.images.size === 0) return 0;
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const nodes = cache.list().length;
    let sum = 0;
    for (const { image } of containers) sum += imageScore(node, image, nodes);
    const upperBound = upperBoundPerContainer * containers.length;
    return Math.trunc((maxNodeScore * (Math.min(Math.max(sum, lowerBound), upperBound) - lowerBound)) / (upperBound - lowerBound));
  },
});
