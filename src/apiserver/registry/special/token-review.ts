import type { TokenReview } from '#api';
import { timestamp } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';
import { badRequest } from '#machinery/status';
import type { Authentication } from '../../authn/index.ts';
import { shownUser } from '../../authn/shown-user.ts';
import type { EndpointFactory } from '../contract.ts';

/** Says whose a token is. upstream: pkg/registry/authentication/tokenreview. */
export function tokenReviews(authentication: () => Authentication): EndpointFactory {
  return () => ({
    group: 'authentication.k8s.io',
    resource: 'tokenreviews',
    subresource: '',
    async create(_context, _name, body) {
      const review = body as TokenReview;
      if (!review.spec?.token) throw badRequest('token is required for TokenReview in authentication');
      const { tokens, apiAudiences, complete } = authentication();
      const audiences = review.spec.audiences?.length ? review.spec.audiences : apiAudiences;
      let status: TokenReview['status'];
      try {
        const found = await tokens(review.spec.token, audiences);
        // Tokens that know no audiences are for the API server.
        const meant = found && (found.audiences.length > 0 ? found.audiences : apiAudiences.filter((item) => audiences.includes(item)));
        if (found && meant?.length) status = { authenticated: true, user: shownUser(complete(found.user)), audiences: [...meant] };
        else status = { user: {}, error: 'invalid bearer token' };
      } catch (error) {
        status = { user: {}, error: error instanceof Error ? error.message : String(error) };
      }
      return { ...review, status } as KubeObject;
    },
  });
}

/** Who am I. upstream: pkg/registry/authentication/selfsubjectreview. */
export const selfSubjectReviews: EndpointFactory = ({ clock }) => ({
  group: 'authentication.k8s.io',
  resource: 'selfsubjectreviews',
  subresource: '',
  create: (context, _name, body) =>
    Promise.resolve({
      ...body,
      metadata: { ...body.metadata, creationTimestamp: timestamp(clock) },
      status: { userInfo: shownUser(context.user) },
    } as KubeObject),
});
