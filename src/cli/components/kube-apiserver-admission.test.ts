import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { admissionSettings } from './kube-apiserver-admission.ts';

const head = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n';
const podSecurity = (rest: string): string =>
  `${head}- name: PodSecurity\n  configuration:\n    apiVersion: pod-security.admission.config.k8s.io/v1\n    kind: PodSecurityConfiguration\n${rest}`;

test('admissionSettings() reads defaults and exemptions of PodSecurity, and says what it does not understand', () => {
  const folder = mkdtempSync(join(tmpdir(), 'admission-'));
  const path = join(folder, 'file');
  const read = (text: string) => {
    writeFileSync(path, text);
    return admissionSettings(path);
  };
  assert.deepEqual(admissionSettings(''), {});
  assert.deepEqual(
    read(
      podSecurity(
        '    defaults: {enforce: baseline, enforce-version: v1.30, warn: restricted}\n    exemptions: {usernames: [ann], namespaces: [kube-system]}\n',
      ),
    ),
    {
      podSecurity: {
        defaults: {
          enforce: { level: 'baseline', minor: 30 },
          audit: { level: 'privileged', minor: 'latest' },
          warn: { level: 'restricted', minor: 'latest' },
        },
        exemptions: { users: ['ann'], namespaces: ['kube-system'] },
      },
    },
  );
  for (const [text, message] of [
    ['kind: X\n', /no kind "X" is registered for version ""/],
    [
      podSecurity('    defaults: {enforce: strict}\n'),
      /defaults\.enforce: Invalid value: "strict": must be one of privileged, baseline, restricted/,
    ],
    [podSecurity('    defaults: {enforces: baseline}\n'), /strict decoding error: unknown field "defaults\.enforces"/],
    [`${head}- name: EventRateLimit\n  configuration: {limits: []}\n`, /the admission plugin EventRateLimit has no settings in coxswain/],
  ] as const)
    assert.throws(() => read(text), message);
  rmSync(folder, { recursive: true });
});
