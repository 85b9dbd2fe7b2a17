import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readConfiguration } from './configuration-file.ts';
import { chosenControllers } from './kube-controller-manager.ts';
import { kubeSchedulerConfiguration, schedulerSettings } from './kube-scheduler-configuration.ts';
import { parseTaints } from './kubelet-settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'coxswain-components-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = (text: string): string => {
  const path = join(directory, 'configuration.yaml');
  writeFileSync(path, text);
  return path;
};
const head = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';

test('a scheduler is configured by its file, with defaults where it is silent', () => {
  const warnings: string[] = [];
  const path = file(`${head}parallelism: 4
leaderElection: {leaderElect: false, leaseDuration: 30s}
profiles:
- schedulerName: a
  plugins: {score: {disabled: [{name: ImageLocality}]}}
`);
  const settings = schedulerSettings(path, (text) => warnings.push(text));
  assert.equal(settings['leader-elect'], false);
  assert.equal(settings['leader-elect-lease-duration'], 30_000);
  assert.equal(settings['leader-elect-renew-deadline'], 10_000);
  assert.equal(settings.config.profiles?.[0]?.schedulerName, 'a');
  assert.deepEqual(warnings, [`parallelism in ${path} has no effect: coxswain does not support it`]);
});

const refused: [text: string, message: RegExp][] = [
  [`${head}bogus: 1`, /strict decoding error: unknown field "bogus"/],
  [`${head}leaderElection: {bogus: 1}`, /unknown field "leaderElection.bogus"/],
  [`${head}extenders: [{urlPrefix: "https://x"}]`, /extenders is not supported/],
  [`${head}leaderElection: 3`, /leaderElection must be an object/],
  ['apiVersion: v1\nkind: Pod', /no kind "Pod" is registered for version "v1"/],
  ['- 1', /is not a KubeSchedulerConfiguration/],
  [`${head}profiles: [{schedulerName: a}, {}]`, /each needs a schedulerName/],
  [`${head}leaderElection: {leaseDuration: 3}`, /invalid duration/],
];
for (const [text, message] of refused)
  test(`a scheduler's file is refused: ${text.split('\n').at(-1)}`, () =>
    assert.throws(() => schedulerSettings(file(text), () => undefined), message));

test('a file that is not there is named with its flag', () =>
  assert.throws(
    () => readConfiguration('config', '/nowhere', kubeSchedulerConfiguration, () => undefined),
    /Cannot read \/nowhere, the file of --config/,
  ));

test('--controllers chooses by new and old names', () => {
  const names = (...wanted: string[]): string[] => chosenControllers(wanted, () => undefined).map((factory) => factory().name);
  assert.ok(names('*').includes('deployment-controller'));
  assert.ok(!names('*').includes('token-cleaner-controller'));
  assert.ok(names('*', 'tokencleaner').includes('token-cleaner-controller'));
  assert.ok(!names('*', '-deployment').includes('deployment-controller'));
  assert.deepEqual(names('job'), ['job-controller']);
  assert.throws(() => names('nothing'), { message: '"nothing" is not in the list of known controllers' });
});

test('taints are read as upstream writes them', () => {
  assert.deepEqual(parseTaints('a=b:NoSchedule,c:NoExecute'), [
    { key: 'a', value: 'b', effect: 'NoSchedule' },
    { key: 'c', effect: 'NoExecute' },
  ]);
  assert.throws(() => parseTaints('a=b'), /invalid taint spec/);
});
