/** Step "authorized". upstream: apiserver/pkg/endpoints/filters/authorization.go, handlers/responsewriters/errors.go. */
import { forbidden, internalError } from '#machinery/status';
import type { StatusError } from '#machinery/status';
import type { Authorizer, Decision, RequestInfo, UserInfo } from '../contract.ts';

const decisionAnnotation = 'authorization.k8s.io/decision';
const reasonAnnotation = 'authorization.k8s.io/reason';

/** Throws Forbidden unless a rule allows it: at once where the authorizer answers at once, else by its promise. */
export function authorize(
  authorizer: Authorizer,
  user: UserInfo,
  info: RequestInfo,
  annotate?: (key: string, value: string) => void,
): Promise<void> | undefined {
  const decision = authorizer({ user, info });
  if (decision instanceof Promise) return authorizeLater(decision, user, info, annotate);
  enforce(decision, user, info, annotate);
  return undefined;
}

async function authorizeLater(
  deciding: Promise<Decision>,
  user: UserInfo,
  info: RequestInfo,
  annotate: ((key: string, value: string) => void) | undefined,
): Promise<void> {
  let decision: Decision;
  try {
    decision = await deciding;
  } catch (error) {
    annotate?.(reasonAnnotation, 'internal error');
    throw internalError(error);
  }
  enforce(decision, user, info, annotate);
}

function enforce(
  decision: Decision,
  user: UserInfo,
  info: RequestInfo,
  annotate: ((key: string, value: string) => void) | undefined,
): void {
  if (annotate) {
    annotate(decisionAnnotation, decision.verdict === 'allow' ? 'allow' : 'forbid');
    annotate(reasonAnnotation, decision.reason);
  }
  if (decision.verdict !== 'allow') throw refusal(user, info, decision.reason);
}

export function refusal(user: UserInfo, info: RequestInfo, reason: string): StatusError {
  const who = `User ${JSON.stringify(user.name)} cannot ${info.verb}`;
  let text: string;
  if (!info.isResourceRequest) text = `${who} path ${JSON.stringify(info.path)}`;
  else {
    const resource = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
    const what = `${who} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(info.group)}`;
    text = info.namespace ? `${what} in the namespace ${JSON.stringify(info.namespace)}` : `${what} at the cluster scope`;
  }
  const error = forbidden({ group: info.group, resource: info.resource }, info.name, reason ? `${text}: ${reason}` : text);
  // A path is no object that details could be about.
  if (!info.isResourceRequest) error.status.details = {};
  return error;
}
