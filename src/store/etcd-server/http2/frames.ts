/** HTTP/2's frames. upstream: RFC 9113 sections 4 and 6. */

export const frame = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  window: 8,
  continuation: 9,
} as const;
export const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;
export const setting = { headerTableSize: 1, initialWindowSize: 4, maxFrameSize: 5, maxHeaderListSize: 6 } as const;
export const errorCode = { none: 0, protocol: 1, flowControl: 3, frameSize: 6, refused: 7, cancel: 8, compression: 9, calm: 11 } as const;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const frameHeader = 9;

export function writeFrameHeader(target: Buffer, at: number, length: number, type: number, flags: number, stream: number): void {
  target.writeUIntBE(length, at, 3);
  target[at + 3] = type;
  target[at + 4] = flags;
  target.writeUInt32BE(stream, at + 5);
}

export function makeFrame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const made = Buffer.allocUnsafe(frameHeader + payload.length);
  writeFrameHeader(made, 0, payload.length, type, flags, stream);
  made.set(payload, frameHeader);
  return made;
}

export const number = (...values: number[]): Buffer => {
  const made = Buffer.allocUnsafe(values.length * 4);
  for (const [index, value] of values.entries()) made.writeUInt32BE(value, index * 4);
  return made;
};

export function settings(values: Record<number, number>): Buffer {
  const payload = Buffer.alloc(Object.keys(values).length * 6);
  for (const [index, [id, value]] of Object.entries(values).entries()) {
    payload.writeUInt16BE(Number(id), index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return makeFrame(frame.settings, 0, 0, payload);
}

/** A literal header field that is in no table and enters none. `name`: an index of the static table, or text. */
export function field(name: number | string, value: string): Buffer {
  const bytes = (text: string): Buffer => Buffer.concat([integer(text.length, 7), Buffer.from(text, 'latin1')]);
  return Buffer.concat([typeof name === 'number' ? integer(name, 4) : Buffer.concat([Buffer.from([0]), bytes(name)]), bytes(value)]);
}

/** The prefix's other bits are zero: not indexed, not Huffman-coded. */
function integer(value: number, bits: number): Buffer {
  const mask = (1 << bits) - 1;
  if (value < mask) return Buffer.from([value]);
  const bytes = [mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
