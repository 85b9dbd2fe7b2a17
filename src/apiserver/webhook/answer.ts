/** What both of our clients do with a webhook's answer. */
import type { IncomingMessage } from 'node:http';
import { jsonSyntaxError } from '#machinery/codec';

/** As much as a webhook's answer may be long, in bytes. upstream: webhook responses, maxWebhookResponseSize. */
const webhookLimit = { bytes: 16 * 1024 * 1024, complaint: 'http: response too large' };

/** The whole body. Rejects with what broke it off, or with the complaint where it is longer than `limit.bytes`. */
export function textOf(response: IncomingMessage, limit = webhookLimit): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit.bytes) response.destroy(new Error(limit.complaint));
      else chunks.push(chunk);
    });
    response.on('error', reject);
    response.on('end', () => resolve(Buffer.concat(chunks).toString()));
  });
}

export const isSuccess = (code: number): boolean => code >= 200 && code <= 299;

/** What an answer of another code is told as. */
export const refusalText = (text: string): string =>
  `an error on the server (${JSON.stringify(text.slice(0, 2048))}) has prevented the request from succeeding`;

/** What is told of a body that is no JSON. */
export const unreadableText = (text: string, error: unknown): string =>
  `couldn't get version/kind; json parse error: ${jsonSyntaxError(text) ?? String(error)}`;
