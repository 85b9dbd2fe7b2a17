/** A cluster's settings: made once by `up`, kept in its state directory, read by every later start. */
import { readFileSync } from 'node:fs';

export interface ClusterConfig {
  name: string;
  runtime: 'containerd' | 'simulated';
  /** Number of machines; 0 is a control plane alone. */
  machines: number;
  /** Port of the API on 127.0.0.1. */
  port: number;
  /** The machines' own network, without its last number and length: "10.88.7". Absent for simulated machines. */
  machineNetwork?: string;
  podCidr: string;
  serviceCidr: string;
  clusterDomain: string;
  dnsAddress: string;
  /** Parts that somebody else brings: they are not started. */
  without?: ClusterPart[];
  /** How long past revisions are kept, at least. Default 5 minutes. */
  historySeconds?: number;
  /** "lmdb", "memory", or the endpoint of an etcd. Default "lmdb". */
  store?: string;
  /** Flags of single parts, "name=value", by upstream's name of the part. */
  arguments?: Record<string, string[]>;
  /** Version of this file's form. */
  form: 1;
}

/** What a cluster can do without, because something else does it through the API. */
export const clusterParts = ['controllers', 'scheduler', 'kubelet', 'proxy'] as const;
export type ClusterPart = (typeof clusterParts)[number];

export const defaults = {
  name: 'coxswain',
  machines: 1,
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsAddress: '10.96.0.10',
} as const;

export const machineName = (index: number): string => `machine-${index}`;

/** Of a sandboxed cluster: its network is a /24. */
export const mostMachines = 240;

/** The addresses of a sandboxed cluster's network: .1 the switch, .2 the host, .11 and on the machines. */
export const machineAddress = (config: ClusterConfig, index: number): string =>
  config.machineNetwork ? `${config.machineNetwork}.${10 + index}` : '127.0.0.1';

/**
 * The address that the Service kubernetes names. Where only this machine's loopback reaches the API, which endpoints must not name, it is
 * one at which nobody is, kept for examples (RFC 5737): simulated pods send nothing there.
 */
export const advertisedAddress = (config: ClusterConfig): string => (config.machineNetwork ? machineAddress(config, 1) : '192.0.2.1');

export const clusterNameError = (name: string): string | undefined =>
  /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(name)
    ? undefined
    : `a cluster's name is 1 to 40 lower-case letters, digits and dashes, and begins and ends with a letter or digit: "${name}" is not`;

/** Undefined where there is no such cluster. Throws where its file is damaged. */
export function readConfig(path: string): ClusterConfig | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    const config = JSON.parse(text) as ClusterConfig;
    if (config.form !== 1 || typeof config.name !== 'string' || typeof config.machines !== 'number')
      throw new Error('it is not of a form this version knows');
    return config;
  } catch (error) {
    throw new Error(
      `Cannot use ${path}: ${(error as Error).message}; restore it, or remove the cluster with its data: coxswain down --purge`,
      { cause: error },
    );
  }
}
