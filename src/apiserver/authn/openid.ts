import type { JsonWebKeySet } from '#machinery/pki';
import type { ServiceAccountTokens } from './service-account.ts';

/** A document served at a fixed path to whoever may read it. */
export interface StaticDocument {
  path: string;
  contentType: string;
  cacheControl: string;
  body: string;
}

/**
 * What lets others check service-account tokens: the issuer's configuration and its keys. `address`: host and port under which the
 * server is reached from outside; `keySetUri` wins over it. upstream: pkg/serviceaccount/openidmetadata.go, pkg/routes/openidmetadata.go.
 */
export function openIdDocuments(tokens: ServiceAccountTokens, address: string, keySetUri?: string): StaticDocument[] {
  const keys: JsonWebKeySet = { keys: tokens.keys.map((key) => key.jwk) };
  const configuration = {
    issuer: tokens.issuers[0],
    jwks_uri: keySetUri ?? `https://${address}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(tokens.keys.map((key) => key.algorithm))].sort(),
  };
  const cacheControl = 'public, max-age=3600';
  return [
    { path: '/.well-known/openid-configuration', contentType: 'application/json', cacheControl, body: JSON.stringify(configuration) },
    { path: '/openid/v1/jwks', contentType: 'application/jwk-set+json', cacheControl, body: JSON.stringify(keys) },
  ];
}
