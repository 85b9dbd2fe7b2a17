/** Reads request bodies, up to upstream's limit. upstream: handlers/rest.go limitedReadBody. */
import { createGunzip } from 'node:zlib';
import { StatusError, badRequest, tooLarge } from '#machinery/status';
import type { Exchange } from '../proxy/contract.ts';

export const maxBody = 3 * 1024 * 1024;

export function readBody(exchange: Exchange): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const encoded = exchange.headers['content-encoding'] === 'gzip';
  const source = encoded ? exchange.body.pipe(createGunzip()) : exchange.body;
  const chunks: Buffer[] = [];
  let size = 0;
  source.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBody) chunks.push(chunk);
    else if (size - chunk.length <= maxBody) reject(tooLarge(`limit is ${maxBody}`));
  });
  let ended = false;
  source.on('end', () => {
    ended = true;
    resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  });
  source.on('error', (error: Error) => reject(error instanceof StatusError ? error : badRequest(error.message)));
  source.on('close', () => {
    if (!ended) reject(badRequest('the client went away'));
  });
  return promise;
}
