/** Who is believed beside certificates and service accounts, from flags and files. upstream: pkg/kubeapiserver/options/authentication.go. */
import {
  configurationOfFlags,
  ConfiguredWebhook,
  jwtIssuers,
  parseTokenFile,
  signingAlgorithms,
  unionTokens,
  webhookTokens,
} from '#apiserver';
import type { AuthenticationConfiguration, AuthenticationOptions, JwtIssuer } from '#apiserver';
import { kubeconfigOptions } from '#client/kubeconfig';
import type { Context, Disposables } from '#machinery/lifecycle';
import type { FlagValues } from '../flags/table.ts';
import { readDocument } from './configuration-file.ts';
import type { kubeApiserverFlags } from './kube-apiserver-flags.ts';
import { readFlagFile } from './pem-files.ts';
import { watchFiles } from './watch-file.ts';

type Values = FlagValues<typeof kubeApiserverFlags>;
type Settings = Omit<AuthenticationOptions, 'clientCa' | 'frontProxy' | 'serviceAccounts'>;

const oidcFlags = Object.freeze([
  'oidc-issuer-url',
  'oidc-client-id',
  'oidc-username-prefix',
  'oidc-groups-claim',
  'oidc-groups-prefix',
  'oidc-ca-file',
] as const);

function configurationOf(values: Values): AuthenticationConfiguration | undefined {
  const file = values['authentication-config'];
  const byFlags = oidcFlags.filter((flag) => values[flag] !== '');
  if (file !== '') {
    if (byFlags.length > 0) throw new Error('authentication-config file and oidc-* flags are mutually exclusive');
    return readDocument('authentication-config', file) as AuthenticationConfiguration;
  }
  if (byFlags.length === 0) return undefined;
  const [issuerUrl, clientId, ca] = [values['oidc-issuer-url'], values['oidc-client-id'], values['oidc-ca-file']];
  if (issuerUrl === '' || clientId === '')
    throw new Error('oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set');
  return configurationOfFlags({
    issuerUrl,
    clientId,
    ...(ca && { ca: readFlagFile('oidc-ca-file', ca) }),
    usernameClaim: values['oidc-username-claim'],
    usernamePrefix: values['oidc-username-prefix'],
    groupsClaim: values['oidc-groups-claim'],
    groupsPrefix: values['oidc-groups-prefix'],
    requiredClaims: values['oidc-required-claim'],
  });
}

export function authenticationOf(values: Values, context: Context, held: Disposables): Settings {
  const { clock, random, log } = context;
  const audiences = values['api-audiences'];
  const apiAudiences = audiences.length > 0 ? audiences : values['service-account-issuer'];
  const tokenFile = values['token-auth-file'];
  const file = values['authentication-config'];
  const anonymous: { enabled: boolean; paths?: readonly string[] } = { enabled: values['anonymous-auth'] };
  const algorithms = file ? signingAlgorithms : values['oidc-signing-algs'];
  for (const name of algorithms)
    if (!signingAlgorithms.includes(name)) throw new Error(`oidc: unsupported signing alg: ${JSON.stringify(name)}`);
  let issuers: JwtIssuer[] = [];
  const use = (configuration: AuthenticationConfiguration): void => {
    const made = jwtIssuers(configuration, values['service-account-issuer'], { clock, algorithms, apiAudiences });
    for (const issuer of issuers) issuer.close();
    issuers = made.issuers;
    anonymous.enabled = made.anonymous?.enabled ?? values['anonymous-auth'];
    delete anonymous.paths;
    if (made.anonymous?.paths) anonymous.paths = made.anonymous.paths;
  };
  held.add(() => issuers.forEach((issuer) => issuer.close()));
  const first = configurationOf(values);
  if (first) {
    try {
      use(first);
    } catch (error) {
      throw new Error(`Cannot use ${file || 'the flags --oidc-*'}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (file) {
    const watching = watchFiles([file], { clock, log }, () =>
      use(readDocument('authentication-config', file) as AuthenticationConfiguration),
    );
    held.add(() => watching[Symbol.dispose]());
  }
  const webhookFile = values['authentication-token-webhook-config-file'];
  const version = values['authentication-token-webhook-version'];
  if (webhookFile && version !== 'v1' && version !== 'v1beta1')
    throw new Error(`unsupported authentication webhook version ${JSON.stringify(version)}, supported versions are "v1", "v1beta1"`);
  const webhook =
    webhookFile &&
    new ConfiguredWebhook({ address: kubeconfigOptions(webhookFile, { clock }), clock, random, backoff: 500, timeout: 10_000 });
  if (webhook) held.add(() => webhook.close());
  return {
    anonymous,
    bootstrapTokens: values['enable-bootstrap-token-auth'],
    ...(tokenFile && { staticTokens: parseTokenFile(readFlagFile('token-auth-file', tokenFile)) }),
    tokenAuthenticators: [
      ...(first
        ? [(token: string, wanted?: readonly string[]) => unionTokens(issuers.map(({ authenticate }) => authenticate))(token, wanted)]
        : []),
      ...(webhook
        ? [
            webhookTokens({
              webhook,
              version: version as 'v1' | 'v1beta1',
              cacheLifetime: values['authentication-token-webhook-cache-ttl'],
              apiAudiences,
              clock,
            }),
          ]
        : []),
    ],
  };
}
