import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { createCa, generateKey } from '#machinery/pki';
import { keyPairError } from './key-pair.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const pair = createCa('x', { clock: virtualClock(0) });
const broken = '-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n';

test('keyPairError() tells what Go would', () => {
  const cases: [certificate: string, key: string, error: string | undefined][] = [
    [pair.certificate, pair.key, undefined],
    [pair.certificate, generateKey(), 'tls: private key does not match public key'],
    ['', pair.key, 'tls: failed to find any PEM data in certificate input'],
    [pair.certificate, '', 'tls: failed to find any PEM data in key input'],
    [
      pair.key,
      pair.key,
      'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [PRIVATE KEY]',
    ],
    [broken, pair.key, 'x509: malformed certificate'],
  ];
  for (const [certificate, key, error] of cases) assert.equal(keyPairError(base64(certificate), base64(key)), error);
});
