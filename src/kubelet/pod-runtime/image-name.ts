/** Image references. upstream: pkg/util/parsers, github.com/distribution/reference. */
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const reference = new RegExp(
  `^(?:(${domain})/)?(${component}(?:/${component})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);

export interface ImageName {
  /** With the registry, as Docker completes it: "docker.io/library/busybox". */
  repository: string;
  tag: string;
  digest: string;
}

/** Throws with upstream's text where it is none. */
export function parseImageName(image: string): ImageName {
  const match = reference.exec(image);
  if (!match) {
    const problem = /[A-Z]/.test(image.split(':')[0] ?? '') ? 'repository name must be lowercase' : 'invalid reference format';
    throw new Error(`couldn't parse image name "${image}": ${problem}`);
  }
  let [, registry = '', name = ''] = match;
  const [, , , tag = '', digest = ''] = match;
  if (registry && !/[.:]/.test(registry) && registry !== 'localhost') {
    name = `${registry}/${name}`;
    registry = '';
  }
  if (!registry || registry === 'docker.io' || registry === 'index.docker.io') {
    registry = 'docker.io';
    if (!name.includes('/')) name = `library/${name}`;
  }
  return { repository: `${registry}/${name}`, tag: tag || (digest ? '' : 'latest'), digest };
}

/** The image with the tag that it means. */
export function withDefaultTag(image: string): string {
  const { tag, digest } = parseImageName(image);
  return !digest && tag && !image.endsWith(`:${tag}`) ? `${image}:${tag}` : image;
}
