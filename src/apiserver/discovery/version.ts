import type { PathTable } from '../http/paths.ts';

/** The release of Kubernetes whose API this is. */
export const release = { major: '1', minor: '35', gitVersion: 'v1.35.4' } as const;

/** upstream: apiserver/pkg/server/routes/version.go. */
export function serveVersion(paths: PathTable): void {
  const body = JSON.stringify(
    {
      ...release,
      emulationMajor: release.major,
      emulationMinor: release.minor,
      minCompatibilityMajor: release.major,
      minCompatibilityMinor: '34',
      gitCommit: '',
      gitTreeState: '',
      buildDate: '1970-01-01T00:00:00Z',
      goVersion: '',
      compiler: 'node',
      platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    },
    undefined,
    2,
  );
  paths.add('/version', ({ exchange, headers }) => exchange.end(200, { ...headers, 'content-type': 'application/json' }, body));
}
