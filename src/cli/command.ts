/** The coxswain command: one file a subcommand, each loaded when it is asked for. */
import { Command, CommanderError } from 'commander';

/** A failure whose message is the whole truth for the user: printed as one sentence, exit code 1. */
interface Lazy {
  name: string;
  arguments?: string;
  description: string;
  options?: [flags: string, description: string, fallback?: string][];
  /** Everything after the name is handed over as it stands (kubectl). */
  passThrough?: boolean;
  hidden?: boolean;
  load(): Promise<(parameters: string[], options: Record<string, string | boolean | undefined>) => Promise<number | void>>;
}

const nameOption: [string, string] = ['--name <name>', 'the cluster (default: COXSWAIN_NAME, else coxswain)'];
const outputOption: [string, string] = ['-o, --output <format>', 'json or yaml instead of text'];

const examples: Record<string, string> = {
  'kube-apiserver': 'audit-policy-file=audit.yaml',
  'kube-controller-manager': 'controllers=*,-cronjob-controller',
  'kube-scheduler': 'config=scheduler.yaml',
  kubelet: 'max-pods=20',
  'kube-proxy': 'masquerade-all=true',
};

const commands: Lazy[] = [
  {
    name: 'up',
    description: 'make a cluster, or start one that is stopped',
    options: [
      nameOption,
      ['--machines <count>', 'machines (nodes); 0 is a control plane alone'],
      ['--runtime <runtime>', 'auto, containerd or simulated'],
      ['--port <port>', 'port of the API on 127.0.0.1 (default: a free one, kept for later starts)'],
      ['--history <time>', 'how long past revisions can be listed and watched, such as 24h (default: 5m)'],
      ['--store <where>', 'lmdb (default), memory (gone when it stops), or where an etcd listens: http://127.0.0.1:2379'],
      ['--config <file>', 'settings as YAML or JSON; - reads standard input'],
      ['--image <archive...>', 'image archives to load on every machine'],
      ['--without <parts>', 'leave out what you bring yourself: controllers, scheduler, kubelet, proxy'],
      ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'].map((part): [string, string] => [
        `--${part}-arg <flag=value...>`,
        `one of ${part}'s flags, such as ${examples[part]}; given again for more`,
      ]),
      ['--wait', 'return when the nodes are Ready and DNS answers (default)'],
      ['--no-wait', 'return when the API answers'],
      ['--timeout <seconds>', 'give up and undo after so long', '120'],
      ['--no-kubeconfig', "leave the user's kubeconfig alone"],
    ],
    load: async () => (await import('./up.ts')).up,
  },
  {
    name: 'down',
    description: 'stop a cluster; its data stays unless --purge',
    options: [nameOption, ['--purge', 'remove its data too']],
    load: async () => (await import('./down.ts')).down,
  },
  { name: 'list', description: 'all clusters', options: [outputOption], load: async () => (await import('./list.ts')).list },
  {
    name: 'status',
    description: 'how a cluster is',
    options: [nameOption, outputOption],
    load: async () => (await import('./list.ts')).status,
  },
  {
    name: 'kubeconfig',
    description: "print a cluster's kubeconfig",
    options: [nameOption],
    load: async () => (await import('./kubeconfig.ts')).kubeconfig,
  },
  {
    name: 'kubectl',
    arguments: '[arguments...]',
    description: "run kubectl against a cluster (the machine's, or the one that comes with Coxswain)",
    passThrough: true,
    load: async () => (await import('./kubectl.ts')).kubectl,
  },
  {
    name: 'image',
    arguments: '<load> <archive...>',
    description: 'load image archives (OCI or docker save) on every machine',
    options: [nameOption],
    load: async () => (await import('./image.ts')).image,
  },
  {
    name: 'flow',
    arguments: '[pod]',
    description: "show a pod's way from apply to Ready: pod, pod/x, deploy/x, -n namespace",
    options: [nameOption, ['-n, --namespace <namespace>', 'namespace', 'default'], ['-w, --watch', 'go on until Ready'], outputOption],
    load: async () => (await import('./flow.ts')).flow,
  },
  {
    name: 'logs',
    arguments: '[process]',
    description: "a cluster's own logs (machine-1, machine-2, …; default all)",
    options: [nameOption, ['-f, --follow', 'go on'], ['--tail <lines>', 'only the last lines']],
    load: async () => (await import('./logs.ts')).logs,
  },
  {
    name: 'snapshot',
    arguments: '<action> <file>',
    description:
      "save a cluster's store to a file while it runs, restore a stopped cluster from one, show its status: save, restore, status",
    options: [nameOption, outputOption],
    load: async () => (await import('./snapshot.ts')).snapshot,
  },
  {
    name: 'migrate',
    arguments: '<from> <to>',
    description: 'move what a cluster has between Coxswain and etcd: cluster:<name>, an etcd URL, an etcd snapshot or data file',
    options: [
      ['--values <form>', 'json, protobuf or keep (default: json into a cluster, protobuf into etcd)'],
      ['--cacert <file>', "authority of etcd's certificate"],
      ['--cert <file>', 'our certificate for etcd'],
      ['--key <file>', 'its key'],
    ],
    load: async () => (await import('./migrate.ts')).migrate,
  },
  {
    name: 'doctor',
    description: 'look for what is wrong with this machine or a cluster',
    options: [nameOption],
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'version',
    description: 'print the version',
    options: [outputOption],
    load: async () => (await import('./version.ts')).showVersion,
  },
  ...components(),
  {
    name: 'machine',
    arguments: '<cluster> <index>',
    description: 'a machine of a cluster (started by up)',
    options: [['--image <archive...>', 'image archives to load']],
    hidden: true,
    load: async () => (await import('./machine.ts')).machine,
  },
];

/** The parts alone, with upstream's flags: beside upstream's own, or in their place. */
function components(): Lazy[] {
  const entry = (name: string, what: string, run: () => Promise<(parameters: string[]) => Promise<number>>): Lazy => ({
    name,
    arguments: '[flags...]',
    description: `${what} alone, with upstream's flags (--help lists them)`,
    passThrough: true,
    load: run,
  });
  return [
    entry('kube-apiserver', 'the API server', async () => (await import('./components/kube-apiserver.ts')).kubeApiserver),
    entry(
      'kube-controller-manager',
      'the controllers',
      async () => (await import('./components/kube-controller-manager.ts')).kubeControllerManager,
    ),
    entry('kube-scheduler', 'the scheduler', async () => (await import('./components/kube-scheduler.ts')).kubeScheduler),
    entry('kubelet', "a node's agent", async () => (await import('./components/kubelet.ts')).kubelet),
    entry('kube-proxy', 'the service proxy', async () => (await import('./components/kube-proxy.ts')).kubeProxy),
    entry('etcd', "the store behind etcd's API", async () => (await import('./components/etcd.ts')).etcd),
  ];
}

function build(): Command {
  const program = new Command('coxswain')
    .description('Kubernetes v1.35 in one process, with real containers.')
    .showHelpAfterError('(coxswain --help lists the commands)')
    .enablePositionalOptions()
    .exitOverride();
  for (const entry of commands) {
    const command = program
      .command(entry.name, { hidden: entry.hidden ?? false })
      .description(entry.description)
      .exitOverride();
    if (entry.arguments) command.arguments(entry.arguments);
    for (const [flags, description, fallback] of entry.options ?? []) command.option(flags, description, fallback);
    if (entry.passThrough) command.passThroughOptions().allowUnknownOption().helpOption(false);
    command.action(async (...given: unknown[]) => {
      const run = await entry.load();
      const code = await run(command.args, given.at(-2) as Record<string, string | boolean>);
      process.exitCode = code ?? 0;
    });
  }
  return program;
}

/** Reads this process's command line and does what it says; sets the exit code. */
export async function run(): Promise<void> {
  try {
    await build().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else {
      process.exitCode = 1;
      const message = error instanceof Error ? error.message : String(error);
      process.stderr.write(`coxswain: ${message}\n`);
      if (process.env['COXSWAIN_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    }
  }
}
