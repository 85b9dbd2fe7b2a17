import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helpText } from './help.ts';
import { parseFlags } from './parse.ts';
import { flagTable, logFlags } from './table.ts';
import { fallbackOf, goDuration } from './value.ts';

const table = flagTable({
  ...logFlags,
  'leader-elect': ['bool', 'true', 'runs for the lease'],
  port: ['int', '8080', 'the port'],
  period: ['duration', '1m30s', 'how often'],
  servers: ['strings', '', 'who to ask'],
  issuer: ['stringArray', '', 'who issues'],
  labels: ['map', '', 'labels'],
  gates: ['switches', '', 'warn'],
  hard: ['thresholds', '', 'when'],
  rate: ['float', '0.5', 'how much'],
  'policy-file': ['string', '', 'refuse'],
});
const read = (...parameters: string[]) => parseFlags('part', table, parameters);

const values: [parameters: string[], name: keyof typeof table, wanted: unknown][] = [
  [[], 'port', 8080],
  [[], 'period', 90_000],
  [[], 'issuer', []],
  [['--port=1'], 'port', 1],
  [['--port', '1'], 'port', 1],
  [['--port=1', '--port=2'], 'port', 2],
  [['--leader-elect=false'], 'leader-elect', false],
  [['--leader_elect=F'], 'leader-elect', false],
  [['--leader-elect'], 'leader-elect', true],
  [['-v', '4'], 'v', 4],
  [['-v=4'], 'v', 4],
  [['-v4'], 'v', 4],
  [['--servers=a,b', '--servers', 'c'], 'servers', ['a', 'b', 'c']],
  [['--servers="a,b",c'], 'servers', ['a,b', 'c']],
  [['--issuer=a,b', '--issuer=c'], 'issuer', ['a,b', 'c']],
  [['--labels=a=1,b=2=3', '--labels=a=4'], 'labels', { a: '4', b: '2=3' }],
  [['--gates=A=true,B=false'], 'gates', { A: true, B: false }],
  [['--hard=memory.available<100Mi,nodefs.available<10%'], 'hard', { 'memory.available': '100Mi', 'nodefs.available': '10%' }],
  [['--period=1h0m0.5s'], 'period', 3_600_500],
  [['--rate=1e2'], 'rate', 100],
];
for (const [parameters, name, wanted] of values)
  test(`${JSON.stringify(parameters.join(' '))} gives ${name}`, () => assert.deepEqual(read(...parameters).values[name], wanted));

const refusals: [parameters: string[], message: string][] = [
  [['--x'], 'unknown flag: --x'],
  [['--toString=1'], 'unknown flag: --toString'],
  [['-x'], "unknown shorthand flag: 'x' in -x"],
  [['--port'], 'flag needs an argument: --port'],
  [['--port=a'], 'invalid argument "a" for "--port" flag: strconv.ParseInt: parsing "a": invalid syntax'],
  [['--leader-elect=maybe'], 'invalid argument "maybe" for "--leader-elect" flag: strconv.ParseBool: parsing "maybe": invalid syntax'],
  [['--period=5'], 'invalid argument "5" for "--period" flag: time: invalid duration "5"'],
  [['--gates=A'], 'invalid argument "A" for "--gates" flag: malformed pair, expect string=string'],
  [['--=1'], 'bad flag syntax: --=1'],
  [['up'], '"part" does not take any arguments, got ["up"]'],
  [
    ['--policy-file=x'],
    '--policy-file is not supported by coxswain, and without what it asks for the cluster would be less safe than it says',
  ],
];
for (const [parameters, message] of refusals)
  test(`refused: ${parameters.join(' ')}`, () => assert.throws(() => read(...parameters), { message }));

test('what has no effect is told, unless it asks for what is there anyway', () => {
  assert.deepEqual(read('--gates=A=true').warnings, ['--gates has no effect: coxswain does not support it']);
  assert.deepEqual(read('--gates=', '--policy-file=').warnings, []);
});

test('help and version are asked for, not acted on', () => {
  assert.equal(read('-h').help, true);
  assert.equal(read('--version').version, true);
  assert.equal(read('--version=raw').version, 'raw');
  assert.match(helpText('part', 'A part.', table), /--port int\n +the port \(default 8080\)/);
});

test("Go's own flags take one dash or two", () => {
  assert.equal(parseFlags('part', table, ['-port=1'], 'go').values.port, 1);
  assert.equal(parseFlags('part', table, ['-leader-elect=false'], 'go').values['leader-elect'], false);
  assert.throws(() => parseFlags('part', table, ['-x'], 'go'), { message: 'flag provided but not defined: -x' });
});

test('durations are read as Go reads them', () => {
  for (const [text, wanted] of [
    ['0', 0],
    ['1.5h', 5_400_000],
    ['-3ms', -3],
    ['2m3s', 123_000],
    ['5', undefined],
    ['', undefined],
    ['1d', undefined],
    ['s', undefined],
  ] as const)
    assert.equal(goDuration(text), wanted, text);
});

test('every default of every table can be read', async () => {
  const tables = [
    (await import('../components/kube-apiserver-flags.ts')).kubeApiserverFlags,
    (await import('../components/kube-controller-manager-flags.ts')).kubeControllerManagerFlags,
    (await import('../components/kube-scheduler-flags.ts')).kubeSchedulerFlags,
    (await import('../components/kubelet-flags.ts')).kubeletFlags,
    (await import('../components/kube-proxy-flags.ts')).kubeProxyFlags,
    (await import('../components/etcd-flags.ts')).etcdFlags,
  ];
  for (const each of tables) for (const flag of Object.values(each)) assert.doesNotThrow(() => fallbackOf(flag));
});
