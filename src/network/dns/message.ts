/** DNS messages as bytes: making answers, and looking into ones that are only passed on. RFC 1035, RFC 6891. */
import { AUTHORITATIVE_ANSWER, encode, RECURSION_AVAILABLE, RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet';
import type { Answer, DecodedPacket, OptAnswer } from 'dns-packet';

export const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const;
export type Rcode = keyof typeof rcodes;

export const headerLength = 12;
/** What fits a UDP answer to one who did not say how much he takes. */
const plainUdpSize = 512;
/** More than this would be fragmented on most networks. */
export const largestUdpSize = 1232;

export interface Reply {
  rcode: Rcode;
  authoritative?: boolean;
  answers?: Answer[];
  authorities?: Answer[];
  additionals?: Answer[];
}

export const ednsOf = (query: DecodedPacket): OptAnswer | undefined =>
  query.additionals?.find((record): record is OptAnswer => record.type === 'OPT');

/** How large an answer by UDP may be. */
export function udpSizeFor(query: DecodedPacket): number {
  const edns = ednsOf(query);
  return edns ? Math.min(Math.max(edns.udpPayloadSize, plainUdpSize), largestUdpSize) : plainUdpSize;
}

export function encodeReply(query: DecodedPacket, reply: Reply): Buffer {
  const { rcode, authoritative = false, answers = [], authorities = [], additionals = [] } = reply;
  const code = rcodes[rcode];
  const edns = ednsOf(query);
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: largestUdpSize,
    extendedRcode: code >> 4,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return encode({
    type: 'response',
    id: query.id ?? 0,
    flags: (authoritative ? AUTHORITATIVE_ANSWER : 0) | (query.flag_rd ? RECURSION_DESIRED : 0) | RECURSION_AVAILABLE | (code & 0xf),
    questions: query.questions ?? [],
    answers,
    authorities,
    additionals: edns ? [...additionals, opt as OptAnswer] : additionals,
  });
}

/** The same answer without what does not fit, marked as cut: the asker comes again by TCP. */
export function truncated(query: DecodedPacket, reply: Reply, size: number): Buffer {
  const whole = encodeReply(query, reply);
  if (whole.length <= size) return whole;
  const slim = encodeReply(query, { ...reply, additionals: [] });
  if (slim.length <= size) return slim;
  const empty = encodeReply(query, { ...reply, answers: [], authorities: [], additionals: [] });
  empty.writeUInt16BE(empty.readUInt16BE(2) | TRUNCATED_RESPONSE, 2);
  return empty;
}

/** A refusal for bytes that cannot be read beyond their header. */
export function formatError(bytes: Buffer): Buffer {
  const header = Buffer.alloc(headerLength);
  bytes.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8000 | (bytes.readUInt16BE(2) & 0x7900) | rcodes.FORMERR, 2);
  return header;
}

export const isTruncated = (bytes: Buffer): boolean => (bytes.readUInt16BE(2) & TRUNCATED_RESPONSE) !== 0;
export const rcodeOf = (bytes: Buffer): number => bytes.readUInt16BE(2) & 0xf;

/** Where the TTLs of a message's records stand (that of OPT is none). Throws RangeError on a broken message. */
export function ttlOffsets(bytes: Buffer): number[] {
  const offsets: number[] = [];
  let at = headerLength;
  const skipName = (): void => {
    for (;;) {
      const length = bytes.readUInt8(at++);
      if (length === 0) return;
      if (length >= 0xc0) {
        at++;
        return;
      }
      at += length;
    }
  };
  for (let question = bytes.readUInt16BE(4); question > 0; question--) {
    skipName();
    at += 4;
  }
  for (let records = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10); records > 0; records--) {
    skipName();
    if (bytes.readUInt16BE(at) !== 41) offsets.push(at + 4);
    at += 10 + bytes.readUInt16BE(at + 8);
  }
  return offsets;
}
