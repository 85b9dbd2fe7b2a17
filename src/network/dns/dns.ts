/** The DNS server as a component: questions about the cluster are answered from its zone, others are passed on. */
import { Buffer } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { decode } from 'dns-packet';
import type { Answer, DecodedPacket, Question } from 'dns-packet';
import type { Informers } from '#client';
import type { Clock, Random } from '#machinery/clock';
import { runningPart } from '#machinery/lifecycle';
import type { Component, Context, Running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import { AnswerCache } from './answer-cache.ts';
import { ClusterZone } from './cluster-zone.ts';
import { Forwarder, cutToQuestion, parseResolver } from './forwarder.ts';
import { listen } from './listener.ts';
import type { ListenAddress, Listener } from './listener.ts';
import { ednsOf, encodeReply, formatError, headerLength, largestUdpSize, truncated, udpSizeFor } from './message.ts';
import type { Reply } from './message.ts';

export interface DnsOptions {
  informers: Informers;
  /** Default "cluster.local". */
  clusterDomain?: string;
  listen: readonly ListenAddress[];
  /** Resolvers for other names ("1.2.3.4", "1.2.3.4:53"). Absent: those of /etc/resolv.conf, loopback ones left out. Empty: other names are refused. */
  upstreams?: readonly string[];
  /** The addresses under which pods know this server (ns.dns.<domain>). Default: where it listens. */
  addresses?: readonly string[];
  /** Seconds. Default 30. */
  ttl?: number;
  clock?: Clock;
  random?: Random;
  log?: Log;
}

export interface RunningDns extends Running {
  /** Where it listens; ports that were asked for as 0 are filled in. */
  readonly listeners: readonly { address: string; port: number }[];
}

export interface DnsComponent extends Component {
  start(context: Context): Promise<RunningDns>;
}

export function createDns(options: DnsOptions): DnsComponent {
  return {
    name: 'cluster-dns',
    async start(context) {
      const server = new DnsServer(options, context, await upstreamsOf(options));
      const started = await runningPart(server, context.signal);
      return Object.assign(started, { listeners: server.listeners.map(({ address, port }) => ({ address, port })) });
    },
  };
}

async function upstreamsOf({ upstreams }: DnsOptions): Promise<readonly string[]> {
  if (upstreams) return upstreams;
  let text: string;
  try {
    text = await readFile('/etc/resolv.conf', 'utf8');
  } catch {
    // A machine without one resolves nothing either.
    return [];
  }
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!);
  // A resolver on loopback is another network namespace's, or this very server.
  return servers.filter((server) => !server.startsWith('127.') && server !== '::1');
}

class DnsServer {
  readonly #options: DnsOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #zone: ClusterZone;
  readonly #forwarder: Forwarder;
  readonly #given = new AnswerCache();
  listeners: Listener[] = [];

  constructor(options: DnsOptions, context: Context, upstreams: readonly string[]) {
    this.#options = options;
    this.#log = options.log ?? context.log;
    this.#clock = options.clock ?? context.clock;
    const own = (): readonly string[] => options.addresses ?? this.listeners.map((listener) => listener.address);
    this.#zone = new ClusterZone(options.informers, options.clusterDomain ?? 'cluster.local', options.ttl ?? 30, own);
    this.#forwarder = new Forwarder(upstreams.map(parseResolver), this.#clock, options.random ?? context.random);
  }

  async start(): Promise<void> {
    await this.#options.informers.synced();
    for (const address of this.#options.listen)
      this.listeners.push(await listen(address, (bytes, transport) => this.#handle(bytes, transport === 'tcp'), this.#clock));
  }

  async stop(): Promise<void> {
    this.#forwarder.close();
    this.#zone.close();
    await Promise.all(this.listeners.splice(0).map((listener) => listener.close()));
  }

  #handle(bytes: Buffer, tcp: boolean): Buffer | undefined | Promise<Buffer> {
    // Answers, and what is no message at all, get no answer: two servers could go on for ever.
    if (bytes.length < headerLength || bytes.readUInt8(2) & 0x80) return undefined;
    return (tcp ? undefined : this.#given.get(bytes, this.#zone.version)) ?? this.#answerTo(bytes, tcp);
  }

  async #answerTo(bytes: Buffer, tcp: boolean): Promise<Buffer> {
    let query: DecodedPacket;
    try {
      query = decode(bytes);
    } catch {
      return formatError(bytes);
    }
    try {
      return await this.#answer(query, bytes, tcp);
    } catch (error) {
      this.#log.error('Cannot answer a DNS question', { question: query.questions?.[0]?.name, error });
      return encodeReply(query, { rcode: 'SERVFAIL' });
    }
  }

  async #answer(query: DecodedPacket, bytes: Buffer, tcp: boolean): Promise<Buffer> {
    const reply = (content: Reply): Buffer => (tcp ? encodeReply(query, content) : truncated(query, content, udpSizeFor(query)));
    if ((bytes.readUInt8(2) & 0x78) !== 0) return reply({ rcode: 'NOTIMP' });
    const [question] = query.questions ?? [];
    if (!question || query.questions!.length !== 1) return reply({ rcode: 'FORMERR' });
    if ((ednsOf(query)?.ednsVersion ?? 0) !== 0) return reply({ rcode: 'BADVERS' });
    const { version } = this.#zone;
    const inZone = (question.class ?? 'IN') === 'IN' ? await this.#fromZone(question, query, tcp) : undefined;
    if (inZone) {
      const answer = reply(inZone.reply);
      if (!tcp && inZone.own) this.#given.set(bytes, version, answer);
      return answer;
    }
    if (!this.#forwarder.available) return reply({ rcode: 'REFUSED' });
    const answer = await this.#forwarder.ask(bytes, cacheKey(question, query), tcp);
    if (!answer) return reply({ rcode: 'SERVFAIL' });
    const size = tcp ? Infinity : Math.max(udpSizeFor(query), Math.min(ednsOf(query)?.udpPayloadSize ?? 0, largestUdpSize));
    return answer.length <= size ? answer : cutToQuestion(answer, questionEnd(bytes));
  }

  /** `own`: nothing of it came from elsewhere. */
  async #fromZone(question: Question, query: DecodedPacket, tcp: boolean): Promise<{ reply: Reply; own: boolean } | undefined> {
    const name = question.name.toLowerCase().replace(/\.$/, '');
    const found = this.#zone.answer(name, question.type, question.name);
    if (!found) return undefined;
    const { rcode, follow } = found;
    const answers = follow === undefined ? found.answers : [...found.answers, ...(await this.#follow(follow, question, query, tcp))];
    const authorities = answers.length === 0 && { authorities: [this.#zone.soa()] };
    return { reply: { rcode, authoritative: true, answers, additionals: found.additionals, ...authorities }, own: follow === undefined };
  }

  /** The records a CNAME leads to, as far as they can be had. */
  async #follow(target: string, question: Question, query: DecodedPacket, tcp: boolean, depth = 0): Promise<Answer[]> {
    const inZone = this.#zone.answer(target.toLowerCase(), question.type, target);
    if (inZone) {
      if (inZone.follow === undefined || depth >= 8) return inZone.answers;
      return [...inZone.answers, ...(await this.#follow(inZone.follow, question, query, tcp, depth + 1))];
    }
    if (!this.#forwarder.available) return [];
    const next = { ...question, name: target };
    const bytes = encodeQuestion(next);
    const answer = await this.#forwarder.ask(bytes, cacheKey(next, query), tcp);
    if (!answer) return [];
    try {
      return decode(answer).answers ?? [];
    } catch {
      return [];
    }
  }
}

/** The name's spelling is part of the key: the answer repeats it. */
const cacheKey = ({ name, type, class: of = 'IN' }: Question, query: DecodedPacket): string => {
  const edns = ednsOf(query);
  return JSON.stringify([name, type, of, query.flag_rd, query.flag_cd, edns?.flag_do ?? false, edns?.udpPayloadSize ?? 0]);
};

function encodeQuestion({ name, type, class: of = 'IN' }: Question): Buffer {
  const bytes = encodeReply({ id: 0, flag_rd: true, questions: [{ name, type, class: of }] } as DecodedPacket, { rcode: 'NOERROR' });
  // A query: neither an answer, nor one that offers recursion.
  bytes.writeUInt16BE(0x0100, 2);
  return bytes;
}

/** Where the only question of a message ends. */
function questionEnd(bytes: Buffer): number {
  let at = headerLength;
  for (let length = bytes.readUInt8(at); length !== 0; length = bytes.readUInt8(at)) at += length + 1;
  return at + 5;
}
