/**
 * What is kept of a failed test: one folder with the test's own output, and from the cluster whatever concerns the test's namespaces: the API
 * server's audit, Events, the pods' flow, lines of kubelet and containerd. Enough to tell why without the cluster.
 */
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestResult } from './junit.ts';
import { kubectl } from './target.ts';
import type { Target } from './target.ts';

interface Seen {
  namespace: string;
  at: string;
  text: string;
}

interface FlowRecord {
  namespace: string;
  name: string;
  uid: string;
  node?: string;
  steps: { id: string; at: number; evidence: string }[];
  stuck?: unknown;
}

export interface Witness {
  /** Reads what would be forgotten later; called when a test has failed. */
  look(): void;
  /** Writes the folders; answers each failure's. */
  folders(failures: readonly TestResult[], out: string): Promise<Map<TestResult, string>>;
  stop(): void;
}

/** Follows the cluster's Events from now on: the suite removes its namespaces, and their Events go with them. */
export function witness(target: Target, out: string): Witness {
  const events: Seen[] = [];
  const flows = new Map<string, FlowRecord>();
  // kubectl makes tabs into columns.
  const [command, parameters] = kubectl(
    target,
    'get',
    'events',
    '--all-namespaces',
    '--watch',
    '-o',
    `jsonpath={.metadata.namespace}|{.lastTimestamp}{.eventTime}|{.type} {.reason} {.involvedObject.kind}/{.involvedObject.name}: {.message}{"\\n"}`,
  );
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  const kept = createWriteStream(join(out, 'events.log'));
  child.stderr.on('data', (data: Buffer) => void kept.write(data));
  child.on('error', (error) => void kept.write(`${error.message}\n`));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, namespace = '', at = '', text = ''] = /^([^|]*)\|([^|]*)\|(.*)$/.exec(line) ?? [];
    events.push({ namespace, at: at.replace('null', ''), text });
    kept.write(`${line}\n`);
  });
  let looking: Promise<void> = Promise.resolve();
  const look = (): void => {
    looking = looking.then(async () => {
      try {
        const { records } = JSON.parse(await target.raw('/coxswain/flow')) as { records: FlowRecord[] };
        for (const record of records) flows.set(record.uid, record);
      } catch {
        // Another's cluster has no flow; a broken one cannot tell.
      }
    });
  };
  return {
    look,
    async folders(failures, out) {
      look();
      await looking;
      const cases = failures.map((failure) => caseOf(failure, out));
      for (const one of cases) {
        mkdirSync(one.folder, { recursive: true });
        writeFileSync(join(one.folder, 'test.log'), `${one.failure.name}\n\n${one.failure.error}\n\n${one.failure.output}\n`);
        const own = events.filter(({ namespace }) => one.namespaces.has(namespace));
        if (own.length)
          writeFileSync(
            join(one.folder, 'events.txt'),
            `${own.map(({ at, namespace, text }) => `${at} ${namespace} ${text}`).join('\n')}\n`,
          );
        const records = [...flows.values()].filter(({ namespace }) => one.namespaces.has(namespace));
        for (const { uid } of records) one.marks.add(uid);
        if (records.length) writeFileSync(join(one.folder, 'flow.txt'), `${records.map(flowText).join('\n\n')}\n`);
      }
      if (target.audit !== undefined && existsSync(target.audit)) await sift(target.audit, cases, 'audit.jsonl', byNamespace);
      for (const path of target.logs()) await sift(path, cases, basename(path), byMarks);
      for (const one of cases) writeFileSync(join(one.folder, 'README.md'), summary(one));
      return new Map(cases.map(({ failure, folder }) => [failure, folder]));
    },
    stop() {
      child.kill();
      kept.end();
    },
  };
}

interface Case {
  failure: TestResult;
  folder: string;
  namespaces: Set<string>;
  /** Texts that mark a log's line as this test's: namespaces, uids of pods, ids of containers. */
  marks: Set<string>;
  files: [name: string, lines: number][];
}

function caseOf(failure: TestResult, out: string): Case {
  const folder = join(
    out,
    'failures',
    failure.name
      .replace(/[^A-Za-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 120),
  );
  const namespaces = new Set([...failure.output.matchAll(/namespace[s]?[ "/:=]+([a-z0-9][a-z0-9-]*-\d+)\b/gi)].map((match) => match[1]!));
  return { failure, folder, namespaces, marks: new Set(namespaces), files: [] };
}

type Belongs = (line: string, one: Case) => boolean;

const byNamespace: Belongs = (line, { namespaces }) => {
  for (const namespace of namespaces) if (line.includes(`"${namespace}"`)) return true;
  return false;
};

/** A line that names one of ours makes the containers that it names ours too. */
const byMarks: Belongs = (line, { marks }) => {
  for (const mark of marks)
    if (line.includes(mark)) {
      if (marks.size < 5000) for (const [id] of line.matchAll(/\b[0-9a-f]{64}\b/g)) marks.add(id);
      return true;
    }
  return false;
};

/** Reads a log once and gives each case its lines, as `name` in its folder. */
async function sift(path: string, cases: readonly Case[], name: string, belongs: Belongs): Promise<void> {
  const taking = cases.map((one) => ({ one, lines: 0, file: undefined as ReturnType<typeof createWriteStream> | undefined }));
  for await (const line of createInterface({ input: createReadStream(path) }))
    for (const taker of taking) {
      if (!belongs(line, taker.one)) continue;
      taker.file ??= createWriteStream(join(taker.one.folder, name));
      taker.file.write(`${line}\n`);
      taker.lines++;
    }
  for (const { one, lines, file } of taking) {
    if (!file) continue;
    one.files.push([name, lines]);
    await new Promise<void>((resolve) => file.end(() => resolve()));
  }
}

const time = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(11, 23);

function flowText({ namespace, name, node, steps, stuck }: FlowRecord): string {
  const lines = steps.map(({ id, at, evidence }) => `  ${time(at)} ${id.padEnd(12)} ${evidence}`);
  return [
    `${namespace}/${name}${node ? ` on ${node}` : ''}`,
    ...lines,
    ...(stuck === undefined ? [] : [`  held: ${JSON.stringify(stuck)}`]),
  ].join('\n');
}

function summary({ failure, namespaces, files, folder }: Case): string {
  const also = ['events.txt', 'flow.txt'].filter((name) => existsSync(join(folder, name)));
  return `# ${failure.name}

Failed after ${failure.seconds.toFixed(0)} s in ${[...namespaces].join(', ') || 'no namespace of its own'}:

    ${failure.error.split('\n').join('\n    ')}

- test.log: what the test printed
${also.map((name) => `- ${name}: ${name === 'flow.txt' ? "the pods' steps from request to Ready" : 'Events of its namespaces'}\n`).join('')}${files
    .map(
      ([name, lines]) =>
        `- ${name}: ${lines} lines${name === 'audit.jsonl' ? ', every write and refusal in its namespaces, by whom' : ''}\n`,
    )
    .join('')}`;
}
