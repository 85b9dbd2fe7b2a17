/** The paths beside resources that tell what there is. upstream: apiserver/pkg/endpoints/discovery, pkg/routes/openidmetadata.go. */
import { mediaTypes, operationGroup, operationSchema, tagOf } from './operations.ts';
import type { Operation } from './operations.ts';
import type { Dialect, JsonSchema } from './schemas.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

export interface Information {
  /** Where version 3 has its document: "apis/apps". */
  document: string;
  path: string;
  operation: Operation;
  /** In front of it by the version 2 document: no media type is asked for. */
  silent?: boolean;
}

const discovery = (document: string, description: string, id: string, tag: string, answer: string): Information => ({
  document,
  path: `/${document}/`,
  operation: { description, id, tag, answer: meta + answer, bodyTypes: mediaTypes, produces: mediaTypes },
});

export const versionInformation = (group: string, version: string): Information =>
  discovery(
    group ? `apis/${group}/${version}` : `api/${version}`,
    'get available resources',
    `get${operationGroup(group, version)}APIResources`,
    tagOf(group, version),
    'APIResourceList',
  );

const openId = (path: string, id: string, tag: string, type: string): Information => ({
  document: path,
  path: `/${path}/`,
  operation: { description: 'get what verifies service account tokens', id, tag, produces: [type] },
  silent: true,
});

/** What is not about one group version. `serves`: whether a path is served at all. */
export function generalInformation(groups: readonly string[], serves: (path: string) => boolean): Information[] {
  return [
    discovery('api', 'get available API versions', 'getCoreAPIVersions', 'core', 'APIVersions'),
    discovery('apis', 'get available API versions', 'getAPIVersions', 'apis', 'APIGroupList'),
    ...groups
      .filter((group) => group !== '')
      .map((group) =>
        discovery(`apis/${group}`, 'get information of a group', `get${operationGroup(group, '')}APIGroup`, tagOf(group), 'APIGroup'),
      ),
    {
      document: 'version',
      path: '/version/',
      operation: {
        description: 'get the version of this server',
        id: 'getCodeVersion',
        tag: 'version',
        answer: 'io.k8s.apimachinery.pkg.version.Info',
        bodyTypes: ['application/json'],
        produces: ['application/json'],
      },
    },
    openId('.well-known/openid-configuration', 'getServiceAccountIssuerOpenIDConfiguration', 'WellKnown', 'application/json'),
    openId('openid/v1/jwks', 'getServiceAccountIssuerOpenIDKeyset', 'openid', 'application/jwk-set+json'),
  ].filter(({ document }) => serves(`/${document}`));
}

export function informationPath({ operation, silent }: Information, dialect: Dialect): JsonSchema {
  const get = operationSchema(operation, dialect);
  if (silent) delete get['consumes'];
  return { get };
}
