/** Certificates and keys that flags name, and those a server makes for itself. upstream: apiserver/pkg/server/options/serving.go. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#machinery/clock';
import { createCa, issue } from '#machinery/pki';
import type { KeyPair } from '#machinery/pki';

/** A file's text; the error names the flag. */
export function readFlagFile(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`Cannot read ${path}, the file of --${flag}: ${code === 'ENOENT' ? 'there is no such file' : message}`, {
      cause: error,
    });
  }
}

/** Both files or none; undefined where none is named. */
export function keyPairFiles(certificate: [flag: string, path: string], key: [flag: string, path: string]): KeyPair | undefined {
  if (certificate[1] === '' && key[1] === '') return undefined;
  if (certificate[1] === '' || key[1] === '') throw new Error(`--${certificate[0]} and --${key[0]} must be given together`);
  return { certificate: readFlagFile(...certificate), key: readFlagFile(...key) };
}

/** The pair that TLS is served with: from files, else kept in `directory` under `name`, else made for this process. */
export function servingCertificate(
  clock: Clock,
  files: { certificate: string; key: string },
  kept: { directory: string; name: string },
  addresses: readonly string[],
): KeyPair {
  const given = keyPairFiles(['tls-cert-file', files.certificate], ['tls-private-key-file', files.key]);
  if (given) return given;
  const paths = { certificate: join(kept.directory, `${kept.name}.crt`), key: join(kept.directory, `${kept.name}.key`) };
  if (kept.directory && existsSync(paths.certificate) && existsSync(paths.key))
    return { certificate: readFileSync(paths.certificate, 'utf8'), key: readFileSync(paths.key, 'utf8') };
  const host = hostname();
  const ca = createCa(`${host}-ca@${Math.floor(clock.now() / 1000)}`, { clock });
  const ips = [...new Set(['127.0.0.1', ...addresses.filter((address) => address !== '' && address !== '0.0.0.0' && address !== '::')])];
  const usages = ['digital signature', 'key encipherment', 'server auth'];
  const made = issue({ ca, commonName: `${host}@${Math.floor(clock.now() / 1000)}`, dnsNames: [host, 'localhost'], ips, usages, clock });
  const pair = { certificate: `${made.certificate}${ca.certificate}`, key: made.key };
  if (kept.directory) {
    mkdirSync(kept.directory, { recursive: true });
    writeFileSync(paths.key, pair.key, { mode: 0o600 });
    writeFileSync(paths.certificate, pair.certificate);
  }
  return pair;
}
