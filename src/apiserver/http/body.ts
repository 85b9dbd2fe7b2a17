/** Reads request bodies, up to upstream's limit. upstream: handlers/rest.go limitedReadBody. */
import { createGunzip } from 'node:zlib';
import { StatusError, badRequest, tooLarge } from '#machinery/status';
import type { Exchange } from '../proxy/contract.ts';

export const maxBody = 3 * 1024 * 1024;

export async function readBody(exchange: Exchange): Promise<Uint8Array> {
  if (exchange.headers['content-encoding'] === 'gzip') return readCompressed(exchange);
  let bytes: Uint8Array | undefined;
  try {
    bytes = await exchange.collect(maxBody);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
  if (!bytes) throw tooLarge(`limit is ${maxBody}`);
  return bytes;
}

function readCompressed(exchange: Exchange): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const source = exchange.body.pipe(createGunzip());
  const chunks: Buffer[] = [];
  let size = 0;
  source.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBody) return chunks.push(chunk);
    // A bomb is not unpacked to its end.
    reject(tooLarge(`limit is ${maxBody}`));
    exchange.body.unpipe(source);
    return source.destroy();
  });
  let ended = false;
  source.on('end', () => {
    ended = true;
    resolve(Buffer.concat(chunks));
  });
  source.on('error', (error: Error) => reject(error instanceof StatusError ? error : badRequest(error.message)));
  source.on('close', () => {
    if (!ended) reject(badRequest('the client went away'));
  });
  return promise;
}
