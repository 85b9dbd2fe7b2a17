/** Whether a certificate and a key belong together, in the words of Go's crypto/tls. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { decodePem } from '#machinery/pki';

const text = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('latin1');

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    // What cannot be read is the finding.
    return undefined;
  }
}

/** What is wrong with the pair (both base64 of PEM); undefined where nothing is. upstream: tls.X509KeyPair. */
export function keyPairError(certificate: string | undefined, key: string | undefined): string | undefined {
  const blocks = decodePem(text(certificate));
  const found = blocks.find(({ label }) => label === 'CERTIFICATE');
  if (!found)
    return blocks.length === 0
      ? 'tls: failed to find any PEM data in certificate input'
      : `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${blocks.map(({ label }) => label).join(' ')}]`;
  const keyText = text(key);
  const keyBlocks = decodePem(keyText);
  if (keyBlocks.length === 0) return 'tls: failed to find any PEM data in key input';
  if (!keyBlocks.some(({ label }) => label === 'PRIVATE KEY' || label.endsWith(' PRIVATE KEY')))
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${keyBlocks.map(({ label }) => label).join(' ')}]`;
  const read = attempt(() => new X509Certificate(found.der));
  if (!read) return 'x509: malformed certificate';
  const privateKey: KeyObject | undefined = attempt(() => createPrivateKey(keyText));
  if (!privateKey) return 'tls: failed to parse private key';
  if (privateKey.asymmetricKeyType !== read.publicKey.asymmetricKeyType) return 'tls: private key type does not match public key type';
  return read.checkPrivateKey(privateKey) ? undefined : 'tls: private key does not match public key';
}
