/**
 * Kubernetes objects as Protocol Buffers, from and to plain JSON-shaped objects, driven by the schema table. What reads the same as JSON
 * is kept the same: a zero that Go's JSON would leave out is left out here too.
 * upstream: apimachinery/pkg/runtime/serializer/protobuf; the special types' own protobuf forms.
 */
import { schema } from '../../api/facts/schema.ts';
import { nearestNumber, parseJson } from '#machinery/json';
import type { FieldFact } from '../../api/facts/schema.ts';
import { WireReader, WireWriter, wireTypes } from './wire.ts';
import { specialTypes } from './special-types.ts';
import { unpublishedTypes } from './unpublished-types.ts';

const envelope = Buffer.from('k8s\0', 'latin1');

/** Writes and reads the value of one field, without its tag. */
interface ValueCodec {
  wireType: number;
  write(writer: WireWriter, value: unknown): void;
  /** Undefined: leave the field out. */
  read(reader: WireReader): unknown;
  /** What Go leaves out of JSON when the field is no pointer and has omitempty. */
  isZero(value: unknown): boolean;
}

const scalars: Record<string, ValueCodec> = {
  string: {
    wireType: wireTypes.bytes,
    write: (writer, value) => void writer.string(String(value)),
    read: (reader) => reader.string(),
    isZero: (value) => value === '',
  },
  boolean: {
    wireType: wireTypes.varint,
    write: (writer, value) => void writer.varint(value ? 1 : 0),
    read: (reader) => reader.varint() !== 0,
    isZero: (value) => value === false,
  },
  int64: {
    wireType: wireTypes.varint,
    write: (writer, value) => void writer.int(nearestNumber(value as number | bigint)),
    read: (reader) => nearestNumber(reader.exactInt()),
    isZero: (value) => value === 0,
  },
  double: {
    wireType: wireTypes.fixed64,
    write: (writer, value) => void writer.double(Number(value)),
    read: (reader) => reader.double(),
    isZero: (value) => value === 0,
  },
  float: {
    wireType: wireTypes.fixed32,
    write: (writer, value) => void writer.float(Number(value)),
    read: (reader) => reader.float(),
    isZero: (value) => value === 0,
  },
  bytes: {
    wireType: wireTypes.bytes,
    write: (writer, value) => void writer.block(Buffer.from(value as string, 'base64')),
    read: (reader) => reader.block().toString('base64'),
    isZero: (value) => value === '',
  },
};
scalars['int32'] = scalars['int64']!;
scalars['uint32'] = scalars['int64']!;
scalars['uint64'] = scalars['int64']!;
scalars['bool'] = scalars['boolean']!;

const never = (): boolean => false;

/** A message that is nothing but one JSON text in a bytes field: RawExtension, FieldsV1, JSON. */
const json: ValueCodec = {
  wireType: wireTypes.bytes,
  write(writer, value) {
    const start = writer.mark();
    writer.tag(1, wireTypes.bytes).string(JSON.stringify(value));
    writer.close(start);
  },
  read(reader) {
    const outer = reader.enter();
    let raw: Buffer | undefined;
    while (reader.more) {
      const tag = reader.varint();
      if (tag === 10) raw = reader.block();
      else reader.skip(tag & 7);
    }
    reader.leave(outer);
    if (!raw || raw.length === 0) return undefined;
    return raw.subarray(0, 4).equals(envelope) ? decodeProtobuf(raw) : parseJson(raw.toString());
  },
  isZero: never,
};

interface Field {
  name: string;
  number: number;
  value: ValueCodec;
  repeated: boolean;
  map: boolean;
  /** Zeroes read are kept. */
  keepZero: boolean;
}

/** A message on the wire; `inline` ones are part of the same JSON object. */
interface Message {
  fields: Field[];
  inline: Map<number, Message>;
  byNumber: Map<number, Field>;
}

const messages = new Map<string, Message>();
const values = new Map<string, ValueCodec>();

function valueOf(type: string): ValueCodec {
  let value = scalars[type] ?? values.get(type);
  if (value) return value;
  if (type === 'any') value = json;
  else if (type.startsWith('[]')) value = itemsOf(valueOf(type.slice(2)));
  else
    value =
      specialTypes(type, json, () => valueOf('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps')) ??
      messageValue(type);
  values.set(type, value);
  return value;
}

const messageValue = (type: string): ValueCodec => ({
  wireType: wireTypes.bytes,
  write(writer, value) {
    const start = writer.mark();
    writeMessage(writer, messageOf(type), value as Record<string, unknown>);
    writer.close(start);
  },
  read(reader) {
    const outer = reader.enter();
    const value = readMessage(reader, messageOf(type), {});
    reader.leave(outer);
    return value;
  },
  isZero: never,
});

/** A list that is a message with one repeated field. */
const itemsOf = (item: ValueCodec): ValueCodec => ({
  wireType: wireTypes.bytes,
  write(writer, value) {
    const start = writer.mark();
    for (const entry of value as unknown[]) item.write(writer.tag(1, item.wireType), entry);
    writer.close(start);
  },
  read(reader) {
    const outer = reader.enter();
    const list: unknown[] = [];
    while (reader.more) {
      const tag = reader.varint();
      if (tag >> 3 === 1) list.push(item.read(reader));
      else reader.skip(tag & 7);
    }
    reader.leave(outer);
    return list;
  },
  isZero: (value) => (value as unknown[]).length === 0,
});

function fieldOf(name: string, fact: FieldFact): Field {
  const named = fact.wire === undefined || fact.wire === 'bytes' ? fact.type : fact.wire === 'string' ? fact.type : fact.wire;
  let value = valueOf(named);
  let repeated = fact.repeated ?? false;
  if (fact.items && repeated) {
    value = itemsOf(value);
    repeated = false;
  }
  return {
    name,
    number: fact.number!,
    value,
    repeated,
    map: fact.map ?? false,
    keepZero: (fact.pointer ?? false) || (fact.always ?? false),
  };
}

function messageOf(type: string): Message {
  const known = messages.get(type);
  if (known) return known;
  const message: Message = { fields: [], inline: new Map(), byNumber: new Map() };
  // Known before its fields are looked at: types refer to themselves.
  messages.set(type, message);
  for (const [name, fact] of Object.entries((schema[type] ?? unpublishedTypes[type])?.fields ?? {})) {
    if (fact.number === undefined) continue;
    let target = message;
    for (const number of fact.inline ?? []) {
      let inner = target.inline.get(number);
      if (!inner) target.inline.set(number, (inner = { fields: [], inline: new Map(), byNumber: new Map() }));
      target = inner;
    }
    const field = fieldOf(name, fact);
    target.fields.push(field);
    target.byNumber.set(field.number, field);
  }
  for (const each of [message, ...message.inline.values()]) each.fields.sort((a, b) => a.number - b.number);
  return message;
}

function writeMessage(writer: WireWriter, message: Message, object: Record<string, unknown>): void {
  for (const field of message.fields) {
    const value = object[field.name];
    if (value === undefined || value === null) continue;
    const { number, value: codec } = field;
    if (field.map) {
      for (const key of Object.keys(value)) {
        const start = writer.tag(number, wireTypes.bytes).mark();
        writer.tag(1, wireTypes.bytes).string(key);
        codec.write(writer.tag(2, codec.wireType), (value as Record<string, unknown>)[key]);
        writer.close(start);
      }
    } else if (field.repeated) for (const item of value as unknown[]) codec.write(writer.tag(number, codec.wireType), item);
    else codec.write(writer.tag(number, codec.wireType), value);
  }
  for (const [number, inner] of message.inline) {
    const start = writer.tag(number, wireTypes.bytes).mark();
    writeMessage(writer, inner, object);
    writer.close(start);
  }
}

function readMessage(reader: WireReader, message: Message, object: Record<string, unknown>): Record<string, unknown> {
  while (reader.more) {
    const tag = reader.varint();
    const wireType = tag & 7;
    const number = Math.floor(tag / 8);
    const field = message.byNumber.get(number);
    if (!field) {
      const inner = message.inline.get(number);
      if (inner) {
        const outer = reader.enter();
        readMessage(reader, inner, object);
        reader.leave(outer);
      } else reader.skip(wireType);
      continue;
    }
    const codec = field.value;
    if (field.map) {
      const outer = reader.enter();
      let key = '';
      let value: unknown;
      let present = false;
      while (reader.more) {
        const inner = reader.varint();
        if (inner >> 3 === 1) key = reader.string();
        else if (inner >> 3 === 2) {
          value = codec.read(reader);
          present = true;
        } else reader.skip(inner & 7);
      }
      reader.leave(outer);
      const map = (object[field.name] ??= {}) as Record<string, unknown>;
      const item = present
        ? (value ?? null)
        : codec === scalars['string'] || codec === scalars['bytes']
          ? ''
          : codec.wireType === wireTypes.varint
            ? 0
            : {};
      // A key may have any name, __proto__ too.
      Object.defineProperty(map, key, { value: item, enumerable: true, writable: true, configurable: true });
    } else if (field.repeated) {
      const list = (object[field.name] ??= []) as unknown[];
      if (wireType === wireTypes.bytes && codec.wireType !== wireTypes.bytes) {
        const outer = reader.enter();
        while (reader.more) list.push(codec.read(reader));
        reader.leave(outer);
      } else list.push(codec.read(reader));
    } else {
      const value = codec.read(reader);
      if (value !== undefined && (field.keepZero || !codec.isZero(value))) object[field.name] = value;
    }
  }
  return object;
}

let types: Map<string, string> | undefined;

/** The schema's name of a kind; undefined for kinds that have no protobuf form (custom resources, Tables). */
export function protobufType(apiVersion: string, kind: string): string | undefined {
  if (!types) {
    types = new Map();
    for (const [name, fact] of [...Object.entries(schema), ...Object.entries(unpublishedTypes)])
      for (const { group, version, kind: named } of fact.gvks ?? []) {
        const key = `${group ? `${group}/` : ''}${version}/${named}`;
        if (fact.fields && !types.has(key)) types.set(key, name);
      }
  }
  return types.get(`${apiVersion}/${kind}`);
}

/** Throws RangeError where the kind has no protobuf form. */
export function encodeProtobuf(object: { apiVersion?: string; kind?: string }): Buffer {
  const { apiVersion = '', kind = '' } = object;
  // The core group's list of resources does not tell its own version. upstream: endpoints/discovery stripVersionNegotiatedSerializer.
  const type = protobufType(apiVersion || 'v1', kind);
  if (type === undefined) throw new RangeError(`${apiVersion} ${kind} has no protobuf form`);
  const writer = new WireWriter(2048);
  return encodeEnvelope(writer, apiVersion, kind, () => writeMessage(writer, messageOf(type), object as Record<string, unknown>));
}

function encodeEnvelope(writer: WireWriter, apiVersion: string, kind: string, content: () => void): Buffer {
  const typeMeta = writer.tag(1, wireTypes.bytes).mark();
  writer.tag(1, wireTypes.bytes).string(apiVersion);
  writer.tag(2, wireTypes.bytes).string(kind);
  writer.close(typeMeta);
  const raw = writer.tag(2, wireTypes.bytes).mark();
  content();
  writer.close(raw);
  // contentEncoding and contentType are always written, empty.
  writer.tag(3, wireTypes.bytes).string('');
  writer.tag(4, wireTypes.bytes).string('');
  return Buffer.concat([envelope, writer.finish()]);
}

/** The message of an object alone, without envelope: for lists made of cached items. */
export function encodeBare(object: { apiVersion?: string; kind?: string }): Buffer {
  const type = protobufType(object.apiVersion ?? '', object.kind ?? '');
  if (type === undefined) throw new RangeError(`${object.apiVersion} ${object.kind} has no protobuf form`);
  const writer = new WireWriter(2048);
  writeMessage(writer, messageOf(type), object as Record<string, unknown>);
  // Kept for long, so without the writer's spare room.
  return Buffer.from(Uint8Array.prototype.slice.call(writer.finish()).buffer);
}

/** An object whose message is encoded already (by encodeBare), in its envelope. */
export function encodeInEnvelope(apiVersion: string, kind: string, message: Uint8Array): Buffer {
  const writer = new WireWriter(message.length + 128);
  const typeMeta = writer.tag(1, wireTypes.bytes).mark();
  writer.tag(1, wireTypes.bytes).string(apiVersion);
  writer.tag(2, wireTypes.bytes).string(kind);
  writer.close(typeMeta);
  writer.tag(2, wireTypes.bytes).block(message);
  writer.tag(3, wireTypes.bytes).string('');
  writer.tag(4, wireTypes.bytes).string('');
  return Buffer.concat([envelope, writer.finish()]);
}

/** A list whose items are encoded already (by encodeBare). */
export function encodeProtobufList(
  apiVersion: string,
  kind: string,
  metadata: Record<string, unknown>,
  items: readonly Uint8Array[],
): Buffer {
  let size = 512;
  for (const item of items) size += item.length + 8;
  const writer = new WireWriter(size);
  return encodeEnvelope(writer, apiVersion, kind, () => {
    valueOf('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta').write(writer.tag(1, wireTypes.bytes), metadata);
    for (const item of items) writer.tag(2, wireTypes.bytes).block(item);
  });
}

/** One event of a watch: its length in four bytes, then the event without envelope; the object inside has one. */
export function encodeWatchEvent(type: string, object: Uint8Array): Buffer {
  const writer = new WireWriter(object.length + 64);
  writer.tag(1, wireTypes.bytes).string(type);
  const start = writer.tag(2, wireTypes.bytes).mark();
  writer.tag(1, wireTypes.bytes).block(object);
  writer.close(start);
  const body = writer.finish();
  const frame = Buffer.allocUnsafe(body.length + 4);
  frame.writeUInt32BE(body.length);
  body.copy(frame, 4);
  return frame;
}

/** Throws RangeError where the bytes are no object in an envelope, or its kind is not known. */
export function decodeProtobuf(
  bytes: Uint8Array,
  versionOf = (apiVersion: string, _kind: string): string => apiVersion,
): Record<string, unknown> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.subarray(0, 4).equals(envelope))
    throw new RangeError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const reader = new WireReader(buffer.subarray(4));
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 10) {
      const outer = reader.enter();
      while (reader.more) {
        const inner = reader.varint();
        if (inner === 10) apiVersion = reader.string();
        else if (inner === 18) kind = reader.string();
        else reader.skip(inner & 7);
      }
      reader.leave(outer);
    } else if (tag === 18) raw = reader.block();
    else reader.skip(tag & 7);
  }
  apiVersion = versionOf(apiVersion, kind);
  const type = protobufType(apiVersion, kind);
  if (type === undefined) throw new RangeError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
  return readMessage(new WireReader(raw), messageOf(type), { apiVersion, kind });
}
