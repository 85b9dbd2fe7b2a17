/** What both servers are set up with. */
export const serviceCidr = '10.96.0.0/16';
export const issuer = 'https://kubernetes.default.svc.cluster.local';

/** Token users; everybody else is impersonated by the first. */
export const users = [
  { token: 'administrator-token', name: 'administrator', uid: 'u-1', groups: ['system:masters'] },
  { token: 'alice-token', name: 'alice', uid: 'u-2', groups: ['developers'] },
];

/** Names the field manager where a request names none. */
export const userAgent = 'differential/v1.0 (test)';
