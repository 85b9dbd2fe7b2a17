/** The cluster's keys and certificates: authorities for ten years, the rest for one, made anew at a start when less than half of that is left. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#machinery/clock';
import { createCa, createSigningKey, issue, loadSigningKey, parseCertificates, publicKeyOf, verifyChain } from '#machinery/pki';
import type { IssueRequest, KeyPair } from '#machinery/pki';
import { machinesGroup } from './add-ons.ts';

export interface ClusterCertificates {
  /** Signs clients, nodes and servers. */
  ca: KeyPair;
  /** Signs the API server's own client certificate towards extension API servers. */
  frontProxyCa: KeyPair;
  frontProxyClient: KeyPair;
  apiserver: KeyPair;
  /** system:masters. */
  admin: KeyPair;
  /** The API server towards kubelets. */
  kubeletClient: KeyPair;
  /** The machines' service proxies and DNS servers. */
  machineNetwork: KeyPair;
  /** PEM of the key that signs service-account tokens. */
  serviceAccountKey: string;
  node(name: string, addresses: string[]): { client: KeyPair; server: KeyPair };
}

/** Keeps PEM texts by name; in memory, or as files. */
export interface PemStore {
  read(name: string): string | undefined;
  write(name: string, text: string): void;
}

export function memoryPems(): PemStore {
  const texts = new Map<string, string>();
  return { read: (name) => texts.get(name), write: (name, text) => void texts.set(name, text) };
}

/** Files of a directory that only its owner may read. */
export function filePems(directory: string): PemStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    read: (name) => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : undefined),
    write(name, text) {
      // Whole or not at all: a crash between the two calls leaves the old file.
      writeFileSync(join(directory, `.${name}`), text, { mode: 0o600 });
      renameSync(join(directory, `.${name}`), join(directory, name));
    },
  };
}

const damaged = (files: string): Error =>
  new Error(
    `Cannot use the cluster's keys: ${files} damaged or missing; restore the directory pki, or remove the cluster with its data: coxswain down --purge`,
  );

function belongTogether({ certificate, key }: KeyPair): boolean {
  try {
    return parseCertificates(certificate)[0]?.publicKey.equals(publicKeyOf(key)) ?? false;
  } catch {
    return false;
  }
}

const day = 24 * 3600 * 1000;

export interface CertificateRequestOptions {
  clock: Clock;
  pems: PemStore;
  clusterDomain: string;
  /** Where the API can be reached: the service's first address, machines, loopback. */
  apiAddresses: string[];
  apiNames?: string[];
}

export function clusterCertificates({
  clock,
  pems,
  clusterDomain,
  apiAddresses,
  apiNames = [],
}: CertificateRequestOptions): ClusterCertificates {
  const authority = (name: string, commonName: string): KeyPair => {
    const certificate = pems.read(`${name}.crt`);
    const key = pems.read(`${name}.key`);
    if (certificate !== undefined && key !== undefined) {
      const pair = { certificate, key };
      // One that is damaged is not made anew in silence: every kubeconfig in use trusts the old one.
      if (!belongTogether(pair)) throw damaged(`${name}.crt and ${name}.key`);
      return pair;
    }
    if (certificate !== undefined) throw damaged(`${name}.key`);
    const made = createCa(commonName, { clock });
    pems.write(`${name}.key`, made.key);
    pems.write(`${name}.crt`, made.certificate);
    return made;
  };
  const leaf = (name: string, request: Omit<IssueRequest, 'clock'>): KeyPair => {
    const certificate = pems.read(`${name}.crt`);
    const key = pems.read(`${name}.key`);
    // A leaf that is damaged, or of an authority that is no more, is made anew.
    const info = certificate && key && belongTogether({ certificate, key }) ? parseCertificates(certificate)[0]! : undefined;
    if (certificate && key && info && verifyChain(info, [], [parseCertificates(request.ca.certificate)[0]!], clock.now()) === undefined) {
      const names = new Set([...info.dnsNames, ...info.ips]);
      const covers = [...(request.dnsNames ?? []), ...(request.ips ?? [])].every((wanted) => names.has(wanted));
      if (covers && info.notAfter - clock.now() > 180 * day) return { certificate, key };
    }
    const made = issue({ ...request, clock });
    pems.write(`${name}.key`, made.key);
    pems.write(`${name}.crt`, made.certificate);
    return made;
  };
  const ca = authority('ca', 'kubernetes');
  const frontProxyCa = authority('front-proxy-ca', 'front-proxy-ca');
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${clusterDomain}`, 'localhost'];
  let serviceAccountKey = pems.read('sa.key');
  if (!serviceAccountKey) {
    serviceAccountKey = createSigningKey();
    pems.write('sa.key', serviceAccountKey);
  }
  try {
    loadSigningKey(serviceAccountKey);
  } catch {
    throw damaged('sa.key');
  }
  return {
    ca,
    frontProxyCa,
    serviceAccountKey,
    frontProxyClient: leaf('front-proxy-client', { ca: frontProxyCa, commonName: 'front-proxy-client' }),
    apiserver: leaf('apiserver', {
      ca,
      commonName: 'kube-apiserver',
      dnsNames: [...service, ...apiNames],
      ips: [...new Set(['127.0.0.1', ...apiAddresses])],
      usages: ['digital signature', 'key encipherment', 'server auth'],
    }),
    admin: leaf('admin', { ca, commonName: 'kubernetes-admin', organizations: ['system:masters'] }),
    kubeletClient: leaf('apiserver-kubelet-client', { ca, commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }),
    machineNetwork: leaf('machine-network', { ca, commonName: 'system:kube-proxy', organizations: [machinesGroup] }),
    node: (name, addresses) => ({
      client: leaf(`node-${name}`, { ca, commonName: `system:node:${name}`, organizations: ['system:nodes'] }),
      server: leaf(`kubelet-${name}`, {
        ca,
        commonName: `system:node:${name}`,
        organizations: ['system:nodes'],
        dnsNames: [name],
        ips: addresses,
        usages: ['digital signature', 'key encipherment', 'server auth'],
      }),
    }),
  };
}
