/**
 * HTTP/2's server side, on any byte stream: node:http2's sessions cost several times what the protocol does, which a server of many small
 * answers and many watchers feels. Requests come as streams of frames; answers of one turn of the loop leave in one write.
 * Left out, since nobody needs it here: push, priorities, a compression table for what we send.
 * Invariants: what a connection may hold is bounded (requests at once, fields, bodies not yet taken, answers not yet read); what breaks the
 * protocol breaks its stream or connection, with the protocol's code, and no other. Read first: connection.ts.
 */
export { Connection } from './connection.ts';
export type { ConnectionOptions } from './connection.ts';
export { headBlock, trailersBlock } from './header-encoder.ts';
export { Stream } from './stream.ts';
export type { BodySink } from './stream.ts';
export { code as errorCode } from './protocol.ts';
