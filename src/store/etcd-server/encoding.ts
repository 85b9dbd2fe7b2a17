/**
 * The messages that there are most of, written by hand: ranges and events. Field numbers: etcd api/etcdserverpb/rpc.proto,
 * api/mvccpb/kv.proto. All others go through the table-driven codec.
 */
import { WireWriter } from '#machinery/codec';
import type { KeyValue, RangeResult, StoreEvent } from '../contract.ts';
import { codec } from '../etcd/protocol.ts';
import type { Wire } from '../etcd/protocol.ts';

const varint = 0;
const block = 2;

/** A range's answer on its way to the wire: not a message yet. */
export class RangeAnswer {
  readonly result: RangeResult;
  readonly header: Wire;
  constructor(result: RangeResult, header: Wire) {
    this.result = result;
    this.header = header;
  }
}

export function encodeAnswer(message: string, answer: Wire | RangeAnswer): Uint8Array {
  if (!(answer instanceof RangeAnswer)) return codec.encode(message, answer);
  const { keyValues, more, count } = answer.result;
  const writer = new WireWriter(keyValues.reduce((sum, kv) => sum + roomOf(kv), 64));
  writeHeader(writer, answer.header);
  for (const keyValue of keyValues) writeKeyValue(writer.tag(2, block), keyValue);
  if (more) writer.tag(3, varint).varint(1);
  number(writer, 4, count);
  return writer.finish();
}

/** Bytes of events that go to many watches: each is encoded once. */
const encoded = new WeakMap<StoreEvent, Uint8Array>();

/** A WatchResponse. */
export function encodeEvents(header: Wire, watchId: number, events: readonly StoreEvent[], fragment: boolean): Uint8Array {
  const parts = events.map(encodeEvent);
  const writer = new WireWriter(parts.reduce((sum, part) => sum + part.length + 6, 64));
  writeHeader(writer, header);
  number(writer, 2, watchId);
  if (fragment) writer.tag(7, varint).varint(1);
  for (const part of parts) writer.tag(11, block).block(part);
  return writer.finish();
}

function encodeEvent(event: StoreEvent): Uint8Array {
  let bytes = encoded.get(event);
  if (bytes) return bytes;
  const { type, keyValue, previous } = event;
  const writer = new WireWriter(roomOf(keyValue) + (previous ? roomOf(previous) : 0));
  if (type === 'delete') writer.tag(1, varint).varint(1);
  writeKeyValue(writer.tag(2, block), keyValue);
  if (previous) writeKeyValue(writer.tag(3, block), previous);
  bytes = writer.finish();
  encoded.set(event, bytes);
  return bytes;
}

const roomOf = ({ key, value }: KeyValue): number => key.length + value.length + 64;

function writeHeader(writer: WireWriter, header: Wire): void {
  const start = writer.tag(1, block).mark();
  number(writer, 1, header['clusterId'] ?? 0);
  number(writer, 2, header['memberId'] ?? 0);
  number(writer, 3, header['revision'] ?? 0);
  number(writer, 4, header['raftTerm'] ?? 0);
  writer.close(start);
}

function writeKeyValue(writer: WireWriter, { key, value, createRevision, modRevision, version, lease }: KeyValue): void {
  // The length is known: nothing has to be moved for it.
  const size =
    fieldSize(key.length) +
    (value.length > 0 ? fieldSize(value.length) : 0) +
    numberSize(createRevision) +
    numberSize(modRevision) +
    numberSize(version) +
    numberSize(lease);
  writer.varint(size);
  writer.tag(1, block).latin1(key);
  number(writer, 2, createRevision);
  number(writer, 3, modRevision);
  number(writer, 4, version);
  if (value.length > 0) writer.tag(5, block).block(value);
  number(writer, 6, lease);
}

function number(writer: WireWriter, field: number, value: number): void {
  if (value !== 0) writer.tag(field, varint).varint(value);
}

const varintSize = (value: number): number => {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
};
const numberSize = (value: number): number => (value === 0 ? 0 : 1 + varintSize(value));
const fieldSize = (length: number): number => 1 + varintSize(length) + length;
