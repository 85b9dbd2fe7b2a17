/** Types whose protobuf form is not that of their JSON: Quantity, Time, MicroTime, IntOrString, and unions of the JSON schema. */
import { wireTypes } from './wire.ts';
import type { WireReader, WireWriter } from './wire.ts';

interface ValueCodec {
  wireType: number;
  write(writer: WireWriter, value: unknown): void;
  read(reader: WireReader): unknown;
  isZero(value: unknown): boolean;
}

const never = (): boolean => false;

/** A message's fields, read one by one. */
function fields(reader: WireReader, take: (number: number, reader: WireReader) => boolean): void {
  const outer = reader.enter();
  while (reader.more) {
    const tag = reader.varint();
    if (!take(tag >> 3, reader)) reader.skip(tag & 7);
  }
  reader.leave(outer);
}

const quantity: ValueCodec = {
  wireType: wireTypes.bytes,
  write(writer, value) {
    const start = writer.mark();
    writer.tag(1, wireTypes.bytes).string(String(value));
    writer.close(start);
  },
  read(reader) {
    let text = '';
    fields(reader, (number) => number === 1 && ((text = reader.string()), true));
    return text === '' ? '0' : text;
  },
  isZero: never,
};

const time = (fraction: boolean): ValueCodec => ({
  wireType: wireTypes.bytes,
  write(writer, value) {
    const start = writer.mark();
    // A null stands for no time inside a map.
    if (value === null) {
      writer.close(start);
      return;
    }
    const text = value as string;
    const milliseconds = Date.parse(text);
    writer.tag(1, wireTypes.varint).int(Math.floor(milliseconds / 1000));
    const digits = /\.(\d+)/.exec(text)?.[1];
    if (fraction && digits) writer.tag(2, wireTypes.varint).int(Number(digits.padEnd(9, '0').slice(0, 9)));
    writer.close(start);
  },
  read(reader) {
    let seconds: number | undefined;
    let nanos = 0;
    fields(reader, (number) => {
      if (number === 1) seconds = reader.int();
      else if (number === 2) nanos = reader.int();
      else return false;
      return true;
    });
    // Go's zero time is year 1; an empty message is no time.
    if (seconds === undefined || seconds === -62135596800) return undefined;
    const text = new Date(seconds * 1000).toISOString().slice(0, 19);
    return fraction ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${text}Z`;
  },
  isZero: never,
});

const intOrString: ValueCodec = {
  wireType: wireTypes.bytes,
  write(writer, value) {
    const start = writer.mark();
    const isText = typeof value === 'string';
    writer.tag(1, wireTypes.varint).int(isText ? 1 : 0);
    writer.tag(2, wireTypes.varint).int(isText ? 0 : (value as number));
    writer.tag(3, wireTypes.bytes).string(isText ? value : '');
    writer.close(start);
  },
  read(reader) {
    let isText = false;
    let number_ = 0;
    let text = '';
    fields(reader, (number) => {
      if (number === 1) isText = reader.int() === 1;
      else if (number === 2) number_ = reader.int();
      else if (number === 3) text = reader.string();
      else return false;
      return true;
    });
    return isText ? text : number_;
  },
  isZero: never,
};

/** A schema or something else, told apart by what JSON value stands there. */
function schemaOr(
  schema: () => ValueCodec,
  other: {
    number: number;
    schemaNumber: number;
    write(writer: WireWriter, value: unknown): void;
    read(reader: WireReader, found: unknown): unknown;
    is(value: unknown): boolean;
  },
): ValueCodec {
  return {
    wireType: wireTypes.bytes,
    write(writer, value) {
      const start = writer.mark();
      if (other.is(value)) other.write(writer, value);
      else {
        if (other.number < other.schemaNumber) writer.tag(other.number, wireTypes.varint).int(1);
        schema().write(writer.tag(other.schemaNumber, wireTypes.bytes), value);
      }
      writer.close(start);
    },
    read(reader) {
      let found: unknown;
      let asSchema: unknown;
      fields(reader, (number) => {
        if (number === other.schemaNumber) asSchema = schema().read(reader);
        else if (number === other.number) found = other.read(reader, found);
        else return false;
        return true;
      });
      return asSchema ?? found;
    },
    isZero: never,
  };
}

const json = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';

/** Undefined for types that are ordinary messages. `rawJson`: the codec of types that are one JSON text. */
export function specialTypes(type: string, rawJson: ValueCodec, schema: () => ValueCodec): ValueCodec | undefined {
  switch (type) {
    case 'io.k8s.apimachinery.pkg.api.resource.Quantity':
      return quantity;
    case 'io.k8s.apimachinery.pkg.apis.meta.v1.Time':
      return time(false);
    case 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime':
      return time(true);
    case 'io.k8s.apimachinery.pkg.util.intstr.IntOrString':
      return intOrString;
    case 'io.k8s.apimachinery.pkg.runtime.RawExtension':
    case 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1':
    case `${json}JSON`:
      return rawJson;
    case `${json}JSONSchemaPropsOrArray`:
      return schemaOr(schema, {
        number: 2,
        schemaNumber: 1,
        is: Array.isArray,
        write: (writer, value) => {
          for (const item of value as unknown[]) schema().write(writer.tag(2, wireTypes.bytes), item);
        },
        read: (reader, found) => [...((found as unknown[] | undefined) ?? []), schema().read(reader)],
      });
    case `${json}JSONSchemaPropsOrBool`:
      return schemaOr(schema, {
        number: 1,
        schemaNumber: 2,
        is: (value) => typeof value === 'boolean',
        write: (writer, value) => void writer.tag(1, wireTypes.varint).int(value ? 1 : 0),
        read: (reader) => reader.varint() !== 0,
      });
    case `${json}JSONSchemaPropsOrStringArray`:
      return schemaOr(schema, {
        number: 2,
        schemaNumber: 1,
        is: Array.isArray,
        write: (writer, value) => {
          for (const item of value as string[]) writer.tag(2, wireTypes.bytes).string(item);
        },
        read: (reader, found) => [...((found as string[] | undefined) ?? []), reader.string()],
      });
    default:
      return undefined;
  }
}
