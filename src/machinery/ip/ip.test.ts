import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ip from '#machinery/ip';

test('addresses: canonical texts', () => {
  const cases: [string, string | undefined][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['010.000.0.1', '10.0.0.1'],
    ['256.0.0.1', undefined],
    ['1.2.3', undefined],
    ['1.2.3.4.5', undefined],
    ['', undefined],
    ['::', '::'],
    ['::1', '::1'],
    ['FE80:0:0:0:0:0:0:0ABC', 'fe80::abc'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['1::2::3', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['::1:2:3:4:5:6:7:8', undefined],
    ['::12345', undefined],
    ['fe80::1%eth0', undefined],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ];
  for (const [text, wanted] of cases) assert.equal(ip.canonicalIP(text), wanted, text);
});

test('networks', () => {
  const network = ip.parseNetwork('10.96.0.0/12')!;
  assert.equal(ip.networkSize(network), 1048576n);
  assert.equal(ip.formatAddress(ip.nthAddress(network, 10)!), '10.96.0.10');
  assert.equal(ip.formatAddress(ip.broadcastAddress(network)), '10.111.255.255');
  assert.equal(ip.nthAddress(network, 1048576), undefined);
  assert.equal(ip.contains(network, ip.parseAddress('10.111.0.1')!), true);
  assert.equal(ip.contains(network, ip.parseAddress('10.112.0.1')!), false);
  assert.equal(ip.formatNetwork(ip.subnet(network, 24, 3)!), '10.96.3.0/24');
  assert.equal(ip.canonicalNetwork('10.1.2.3/8'), '10.0.0.0/8');
  assert.equal(ip.canonicalNetwork('::ffff:1.2.3.4/120'), '1.2.3.0/24');
  assert.equal(ip.formatAddress(ip.nthAddress(ip.parseNetwork('fd00::/108')!, 255)!), 'fd00::ff');
  assert.equal(ip.parseNetwork('10.0.0.0/33'), undefined);
  assert.equal(ip.parseNetwork('10.0.0.0/08'), undefined);
  assert.equal(ip.overlaps(ip.parseNetwork('10.0.0.0/8')!, ip.parseNetwork('10.9.0.0/16')!), true);
});

test('what an address is for', () => {
  const cases: [(address: ip.Address) => boolean, string, boolean][] = [
    [ip.isLoopback, '127.9.9.9', true],
    [ip.isLoopback, '::1', true],
    [ip.isLoopback, '::2', false],
    [ip.isMulticast, '224.0.0.1', true],
    [ip.isMulticast, 'ff02::1', true],
    [ip.isLinkLocalUnicast, '169.254.1.1', true],
    [ip.isLinkLocalUnicast, 'fe80::1', true],
    [ip.isLinkLocalMulticast, '224.0.0.251', true],
    [ip.isLinkLocalMulticast, 'ff12::1', true],
    [ip.isGlobalUnicast, '10.0.0.1', true],
    [ip.isGlobalUnicast, '255.255.255.255', false],
    [ip.isUnspecified, '::', true],
  ];
  for (const [is, text, wanted] of cases) assert.equal(is(ip.parseAddress(text)!), wanted, `${is.name} ${text}`);
  assert.equal(ip.reverseName(ip.parseAddress('10.2.3.4')!), '4.3.2.10.in-addr.arpa.');
  assert.ok(ip.reverseName(ip.parseAddress('::1')!).startsWith('1.0.0.0'));
});

test('fields with addresses', () => {
  const cases: [() => { message: string }[], string[]][] = [
    [() => ip.validateIP('f', '1.2.3.4'), []],
    [() => ip.validateIP('f', 'FE80::1'), ['Invalid value: "FE80::1": must be in canonical form ("fe80::1")']],
    [() => ip.validateIP('f', 'x'), ['Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']],
    [() => ip.validateIPForLegacyField('f', '01.2.3.4', true), ['Invalid value: "01.2.3.4": must not have leading 0s']],
    [() => ip.validateIPForLegacyField('f', '01.2.3.4', true, ['01.2.3.4']), []],
    [() => ip.validateIPForLegacyField('f', '01.2.3.4', false), []],
    [() => ip.validateCIDR('f', '10.0.0.1/8'), ['Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length']],
    [() => ip.validateInterfaceAddress('f', '10.0.0.1/8'), []],
  ];
  for (const [run, wanted] of cases)
    assert.deepEqual(
      run().map((error) => error.message),
      wanted,
    );
  assert.deepEqual(ip.warningsForIP('f', 'FE80::1'), ['f: IPv6 address "FE80::1" should be in RFC 5952 canonical format ("fe80::1")']);
  assert.deepEqual(ip.warningsForCIDR('f', '10.0.0.1/8'), [
    'f: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
  ]);
});
