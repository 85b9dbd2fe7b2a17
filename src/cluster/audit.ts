/** The audit of a cluster of `up`: off, unless the environment names a file for it. */
import { readFileSync } from 'node:fs';
import { Auditor, auditPolicy, logBackend, RotatingFile } from '#apiserver';
import type { Context } from '#machinery/lifecycle';

/** Every write with what was sent and what came of it; what components renew all the time, and reads, are left out. */
const writes = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  omitManagedFields: true,
  rules: [
    { level: 'None', verbs: ['get', 'list', 'watch', 'head', 'options'] },
    { level: 'None', resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }] },
    { level: 'Metadata', resources: [{ group: '', resources: ['secrets', 'serviceaccounts/token'] }] },
    { level: 'RequestResponse' },
  ],
};

/** COXSWAIN_AUDIT_LOG names the file, COXSWAIN_AUDIT_POLICY a policy file of audit.k8s.io/v1. */
export async function clusterAudit(environment: NodeJS.ProcessEnv, { clock, log }: Context): Promise<{ audit?: Auditor }> {
  const path = environment['COXSWAIN_AUDIT_LOG'];
  if (!path) return {};
  const policyFile = environment['COXSWAIN_AUDIT_POLICY'];
  const policy = auditPolicy(policyFile ? (await import('yaml')).parse(readFileSync(policyFile, 'utf8')) : writes);
  const file = new RotatingFile({ path, clock });
  return { audit: new Auditor(policy, [logBackend(file, log.with({ component: 'audit' }), false)], clock) };
}
