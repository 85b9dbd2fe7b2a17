import { createHash } from 'node:crypto';

/** The entropy of a flow: the first eight bytes, little-endian, of a hash of its schema and its distinguisher. */
export function flowHash(schema: string, distinguisher: string): bigint {
  return createHash('sha256').update(`${schema}\0${distinguisher}`).digest().readBigUInt64LE(0);
}

/**
 * Deals `size` different queues of `deck` to a flow, the same ones each time: two flows seldom share all of theirs, so that one that floods
 * its own leaves others a queue that is short. upstream: apiserver/pkg/util/shufflesharding.
 */
export function dealHand(hash: bigint, deck: number, size: number): number[] {
  const hand: number[] = [];
  let left = hash;
  const remainders: number[] = [];
  for (let index = 0; index < size; index++) {
    const cards = BigInt(deck - index);
    const card = Number(left % cards);
    left /= cards;
    // Counted among the cards that are still there: those below it that were dealt before are skipped.
    let place = card;
    for (let before = index - 1; before >= 0; before--) if (place >= remainders[before]!) place++;
    remainders.push(card);
    hand.push(place);
  }
  return hand;
}
