/** Where one cluster keeps what it knows. Everything of a cluster lies under two directories: state (survives down and reboots) and run (does not). */
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface ClusterPaths {
  name: string;
  /** Survives `down`; removed by `down --purge`. */
  state: string;
  /** Sockets, pids, namespaces; short, since unix socket paths end at 107 bytes. */
  run: string;
  config: string;
  store: string;
  pki: string;
  logs: string;
  kubeconfig: string;
  /** Of one machine: images, volumes, pod logs. */
  machine(name: string): { state: string; run: string };
}

/** COXSWAIN_HOME, else /var/lib/coxswain for root, else the user's data directory. */
export function home(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment['COXSWAIN_HOME']) return environment['COXSWAIN_HOME'];
  if (process.getuid?.() === 0) return '/var/lib/coxswain';
  return join(environment['XDG_DATA_HOME'] ?? join(homedir(), '.local/share'), 'coxswain');
}

const runHome = (environment: NodeJS.ProcessEnv): string => {
  if (environment['COXSWAIN_RUN']) return environment['COXSWAIN_RUN'];
  if (process.getuid?.() === 0) return '/run/coxswain';
  return join(environment['XDG_RUNTIME_DIR'] ?? home(environment), 'coxswain-run');
};

export function pathsOf(name: string, environment: NodeJS.ProcessEnv = process.env): ClusterPaths {
  const state = join(home(environment), name);
  const run = join(runHome(environment), name);
  return {
    name,
    state,
    run,
    config: join(state, 'cluster.json'),
    store: join(state, 'store'),
    pki: join(state, 'pki'),
    logs: join(state, 'logs'),
    kubeconfig: join(state, 'admin.kubeconfig'),
    machine: (machine) => ({ state: join(state, 'machines', machine), run: join(run, machine) }),
  };
}
