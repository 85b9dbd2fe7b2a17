/** What is served by code of its own: subresources and virtual resources, and what is done beside the writes of some kinds. */
import type { Authentication, ServiceAccountTokens } from '../../authn/index.ts';
import type { Authorization } from '../../authz/index.ts';
import type { EndpointFactory, HooksFactory } from '../contract.ts';
import { accessReviews } from './access-review.ts';
import { legacyBindings, podBinding } from './binding.ts';
import { componentStatuses } from './component-status.ts';
import type { ComponentProbe } from './component-status.ts';
import { podEviction } from './eviction.ts';
import { escalationHooks } from './role-escalation.ts';
import { serviceHooks } from './service/hooks.ts';
import { tokenRequests } from './token-request.ts';
import { selfSubjectReviews, tokenReviews } from './token-review.ts';

export type { ComponentProbe } from './component-status.ts';

/** Made after the factories are listed, hence functions. */
export interface SpecialParts {
  authentication(): Authentication;
  authorization(): Authorization;
  tokens(): ServiceAccountTokens;
}

export const endpoints = (
  parts: SpecialParts & { componentProbes?: Readonly<Record<string, ComponentProbe>> },
): readonly EndpointFactory[] => [
  podBinding,
  legacyBindings,
  podEviction,
  tokenRequests(parts.tokens),
  tokenReviews(parts.authentication),
  selfSubjectReviews,
  ...accessReviews(parts.authorization),
  componentStatuses(parts.componentProbes ?? {}),
];

export const hooks = (parts: SpecialParts & { serviceCidrs?: readonly string[] }): readonly HooksFactory[] => [
  ...escalationHooks(parts.authorization),
  serviceHooks(parts.serviceCidrs ?? ['10.96.0.0/12']),
];
