/** The parts a cluster is put together of, upstream's or ours; both take the same flags. */
import type { Ours } from './upstream/programs.ts';

/** The parts by what they are, with upstream's names of the programs. */
export const parts = {
  store: 'etcd',
  apiserver: 'kube-apiserver',
  controllers: 'kube-controller-manager',
  scheduler: 'kube-scheduler',
  kubelet: 'kubelet',
  proxy: 'kube-proxy',
} as const;
export type Part = keyof typeof parts;

export const isPart = (text: string): text is Part => Object.hasOwn(parts, text);

/** Which programs are ours when one part ('none': no part) is swapped for upstream's, or is the only one that is ours. */
export function oursOf(how: 'swap' | 'only', part: Part | 'none'): Ours {
  const all = Object.values(parts);
  if (part === 'none') return new Set(how === 'swap' ? all : []);
  return new Set(how === 'only' ? [parts[part]] : all.filter((program) => program !== parts[part]));
}

/** What such a cluster is called in tables. */
export function titleOf(how: 'swap' | 'only', part: Part | 'none'): string {
  if (part === 'none') return how === 'swap' ? 'all parts ours' : "all parts upstream's";
  return how === 'swap'
    ? `swap ${part}: upstream's ${parts[part]}, the rest ours`
    : `only ${part}: our ${parts[part]}, the rest upstream's`;
}
