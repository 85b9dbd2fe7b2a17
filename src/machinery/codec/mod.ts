/**
 * Encodings: the Protocol Buffers wire format and table-driven codecs on it; JSON and YAML as the API reads them.
 * Upstream counterpart: apimachinery/pkg/runtime/serializer. Read first: wire.ts, messages.ts.
 */
export { messageCodec } from './messages.ts';
export type { LongNumbers, MessageCodec, MessageField, MessageTable } from './messages.ts';
export { WireReader, WireWriter, wireTypes } from './wire.ts';
export { jsonSyntaxError } from './json-error.ts';
export {
  decodeProtobuf,
  encodeBare,
  encodeInEnvelope,
  encodeProtobuf,
  encodeProtobufList,
  encodeWatchEvent,
  protobufType,
} from './kubernetes.ts';
