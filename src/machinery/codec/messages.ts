/** A codec for Protocol Buffers messages as plain objects, driven by a table (CRI, etcd). Zero values are not written and not made up. */
import { WireReader, WireWriter, wireTypes } from './wire.ts';

export interface MessageField {
  number: number;
  /** A scalar, or the name of a message or enum in the table. */
  type: string;
  repeated?: boolean;
  /** The key's scalar, for maps. */
  map?: string;
  oneof?: string;
  enum?: boolean;
  /** An int64 that uses all of its bits: see LongNumbers. */
  long?: boolean;
}

/** What stands for an integer that a JavaScript number does not hold exactly. */
export interface LongNumbers {
  /** The same for the same, another for another. */
  toShort(long: bigint): number;
  /** Undefined where the number stands for itself. */
  toLong(short: number): bigint | undefined;
}

export interface MessageTable {
  messages: Record<string, Record<string, MessageField>>;
  /** Enum → value name → number. Values are strings in objects; unknown numbers stay numbers. */
  enums: Record<string, Record<string, number>>;
}

type Field = [name: string, field: MessageField, wireType: number];

const longestCopied = 2048;

interface Compiled {
  fields: Field[];
  byNumber: Map<number, Field>;
}

export interface MessageCodec {
  encode(message: string, value: object): Buffer;
  decode(message: string, bytes: Uint8Array): Record<string, unknown>;
}

export function messageCodec(table: MessageTable, longs?: LongNumbers): MessageCodec {
  const compiled = new Map<string, Compiled>();
  let writer = new WireWriter();
  const enumNames = new Map(
    Object.entries(table.enums).map(([name, values]) => [name, new Map(Object.entries(values).map(([text, number]) => [number, text]))]),
  );
  const of = (name: string): Compiled => {
    let entry = compiled.get(name);
    if (!entry) {
      const fields = Object.entries(table.messages[name] ?? {}).map(([key, field]): Field => [key, field, wireType(field)]);
      entry = { fields, byNumber: new Map(fields.map((field) => [field[1].number, field])) };
      compiled.set(name, entry);
    }
    return entry;
  };
  const wireType = (field: { type: string; enum?: boolean }): number => {
    if (field.enum) return wireTypes.varint;
    if (field.type === 'double') return wireTypes.fixed64;
    if (field.type === 'float') return wireTypes.fixed32;
    return field.type === 'bool' || /^u?int/.test(field.type) ? wireTypes.varint : wireTypes.bytes;
  };

  function writeValue(writer: WireWriter, field: MessageField, value: unknown): void {
    if (field.enum) {
      writer.int(typeof value === 'number' ? value : (table.enums[field.type]?.[value as string] ?? 0));
      return;
    }
    switch (field.type) {
      case 'string':
        writer.string(value as string);
        break;
      case 'bytes':
        writer.block(value as Uint8Array);
        break;
      case 'bool':
        writer.varint(value ? 1 : 0);
        break;
      case 'double':
        writer.double(value as number);
        break;
      case 'float':
        writer.float(value as number);
        break;
      case 'int32':
      case 'int64':
      case 'uint32':
      case 'uint64':
        writer.int((field.long && longs?.toLong(value as number)) || (value as number));
        break;
      default: {
        const start = writer.mark();
        writeMessage(writer, field.type, value as Record<string, unknown>);
        writer.close(start);
      }
    }
  }

  const isZero = (field: MessageField, value: unknown): boolean =>
    value === '' ||
    value === 0 ||
    value === false ||
    (field.type === 'bytes' && (value as Uint8Array).length === 0) ||
    (field.enum === true && table.enums[field.type]?.[value as string] === 0);

  function writeMessage(writer: WireWriter, name: string, value: Record<string, unknown>): void {
    for (const [key, field, type] of of(name).fields) {
      const item = value[key];
      if (item === undefined || item === null) continue;
      if (field.map) {
        for (const [mapKey, mapValue] of Object.entries(item as Record<string, unknown>)) {
          const start = writer.tag(field.number, wireTypes.bytes).mark();
          const keyField = { number: 1, type: field.map };
          writeValue(writer.tag(1, wireType(keyField)), keyField, field.map === 'string' ? mapKey : Number(mapKey));
          writeValue(writer.tag(2, type), field, mapValue);
          writer.close(start);
        }
      } else if (field.repeated) {
        const list = item as unknown[];
        if (list.length === 0) continue;
        if (type === wireTypes.varint) {
          const start = writer.tag(field.number, wireTypes.bytes).mark();
          for (const entry of list) writeValue(writer, field, entry);
          writer.close(start);
        } else for (const entry of list) writeValue(writer.tag(field.number, type), field, entry);
      } else if (field.oneof !== undefined || !isZero(field, item)) writeValue(writer.tag(field.number, type), field, item);
    }
  }

  function readValue(reader: WireReader, field: MessageField): unknown {
    if (field.enum) {
      const number = reader.int();
      return enumNames.get(field.type)?.get(number) ?? number;
    }
    switch (field.type) {
      case 'string':
        return reader.string();
      case 'bytes':
        return reader.block();
      case 'bool':
        return reader.varint() !== 0;
      case 'double':
        return reader.double();
      case 'float':
        return reader.float();
      case 'int32':
      case 'int64':
      case 'uint32':
      case 'uint64': {
        if (!field.long || !longs) return reader.int();
        const value = reader.exactInt();
        return typeof value === 'bigint' ? longs.toShort(value) : value;
      }
      default: {
        const outer = reader.enter();
        const value = readMessage(reader, field.type);
        reader.leave(outer);
        return value;
      }
    }
  }

  const zero = (type: string): unknown =>
    type === 'string' ? '' : type === 'bool' ? false : type === 'bytes' ? new Uint8Array(0) : /int|double|float/.test(type) ? 0 : {};

  function readMessage(reader: WireReader, name: string): Record<string, unknown> {
    const { byNumber } = of(name);
    const value: Record<string, unknown> = {};
    while (reader.more) {
      const tag = reader.varint();
      const type = tag & 7;
      const entry = byNumber.get(Math.floor(tag / 8));
      if (!entry) {
        reader.skip(type);
        continue;
      }
      const [key, field, own] = entry;
      if (field.map) {
        const outer = reader.enter();
        let mapKey: unknown = zero(field.map);
        let mapValue: unknown = field.enum ? 0 : zero(field.type);
        while (reader.more) {
          const inner = reader.varint();
          if (Math.floor(inner / 8) === 1) mapKey = readValue(reader, { number: 1, type: field.map });
          else if (Math.floor(inner / 8) === 2) mapValue = readValue(reader, field);
          else reader.skip(inner & 7);
        }
        reader.leave(outer);
        ((value[key] ??= {}) as Record<string, unknown>)[String(mapKey)] = mapValue;
      } else if (field.repeated) {
        const list = (value[key] ??= []) as unknown[];
        if (type === wireTypes.bytes && own !== wireTypes.bytes) {
          const outer = reader.enter();
          while (reader.more) list.push(readValue(reader, field));
          reader.leave(outer);
        } else list.push(readValue(reader, field));
      } else value[key] = readValue(reader, field);
    }
    return value;
  }

  return {
    encode(message, value) {
      writer.clear();
      writeMessage(writer, message, value as Record<string, unknown>);
      const bytes = writer.finish();
      // A short message is copied out of it: memory of its own would cost more than all the rest.
      if (bytes.length <= longestCopied) return Buffer.from(bytes);
      writer = new WireWriter();
      return bytes;
    },
    decode: (message, bytes) => readMessage(new WireReader(bytes), message),
  };
}
