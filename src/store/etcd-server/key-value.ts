/** A key with its value on the wire. Who writes has made the room that `size…` tells. upstream: etcd api/mvccpb/kv.proto. */
import type { KeyValue } from '../contract.ts';

const varint = 0;
const block = 2;

function sizeOfVarint(value: number): number {
  let size = 1;
  for (; value >= 0x80; value = Math.floor(value / 128)) size++;
  return size;
}

/** With its tag; zero is not written. Of fields below 16, as all of these. */
export const sizeOfNumber = (value: number): number => (value === 0 ? 0 : 1 + sizeOfVarint(value));
export const sizeOfBlock = (length: number): number => 1 + sizeOfVarint(length) + length;

export const sizeOfKeyValue = ({ key, value, createRevision, modRevision, version, lease }: KeyValue): number =>
  sizeOfBlock(key.length) +
  (value.length > 0 ? sizeOfBlock(value.length) : 0) +
  sizeOfNumber(createRevision) +
  sizeOfNumber(modRevision) +
  sizeOfNumber(version) +
  sizeOfNumber(lease);

/** Where the bytes end is answered by all that write. */
function writeVarint(buffer: Buffer, at: number, value: number): number {
  while (value >= 0x80) {
    buffer[at++] = (value % 128) | 0x80;
    value = Math.floor(value / 128);
  }
  buffer[at++] = value;
  return at;
}

export function writeNumber(buffer: Buffer, at: number, field: number, value: number): number {
  if (value === 0) return at;
  buffer[at++] = (field << 3) | varint;
  return writeVarint(buffer, at, value);
}

export function writeBlockHead(buffer: Buffer, at: number, field: number, length: number): number {
  buffer[at++] = (field << 3) | block;
  return writeVarint(buffer, at, length);
}

/** As a field of another message. */
export function writeKeyValue(buffer: Buffer, at: number, field: number, keyValue: KeyValue): number {
  const { key, value, createRevision, modRevision, version, lease } = keyValue;
  at = writeBlockHead(buffer, at, field, sizeOfKeyValue(keyValue));
  at = writeBlockHead(buffer, at, 1, key.length);
  // Keys are short: a call to write one costs more than its characters.
  for (let index = 0; index < key.length; index++) buffer[at++] = key.charCodeAt(index);
  at = writeNumber(buffer, at, 2, createRevision);
  at = writeNumber(buffer, at, 3, modRevision);
  at = writeNumber(buffer, at, 4, version);
  if (value.length > 0) {
    at = writeBlockHead(buffer, at, 5, value.length);
    buffer.set(value, at);
    at += value.length;
  }
  return writeNumber(buffer, at, 6, lease);
}
