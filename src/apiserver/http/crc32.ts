/** The CRC-32 of two byte strings in a row, from theirs: appending n zero bytes multiplies by x^8n in GF(2)[x]/P. RFC 1952. */

const polynomial = 0xedb88320;

/** The product of two polynomials, highest coefficient in the lowest bit, modulo P. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? (b >>> 1) ^ polynomial : b >>> 1;
  }
  return product >>> 0;
}

/** x^8n: by squaring. */
function shift(bytes: number): number {
  let power = 0x80000000;
  let square = multiply(0x00800000, 0x80000000);
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}

/** `second` is the CRC of `size` bytes. */
export const combineCrc32 = (first: number, second: number, size: number): number => (multiply(shift(size), first) ^ second) >>> 0;
