/**
 * Answers of node-local plugins, kept by pod shape and node: a thousand equal pods are filtered and scored once, and after each
 * placement only the one node that changed is asked again.
 * Invariant: an entry counts only while the node's generation is the one it was made at.
 */
import type { Status } from './status.ts';

export class Shape {
  /** The node's generation at which `statuses` and `scores` were worked out; 0: never. */
  filteredAt: Float64Array;
  scoredAt: Float64Array;
  statuses: (Status | undefined)[];
  /** One array a local scoring plugin, raw scores by node slot. */
  scores: Float64Array[];
  imagesGeneration: number;

  constructor(slots: number, scorers: number, imagesGeneration: number) {
    this.filteredAt = new Float64Array(slots);
    this.scoredAt = new Float64Array(slots);
    this.statuses = Array.from<Status | undefined>({ length: slots });
    this.scores = Array.from({ length: scorers }, () => new Float64Array(slots));
    this.imagesGeneration = imagesGeneration;
  }
}

export class ShapeCache {
  readonly #shapes = new Map<string, Shape>();
  readonly #limit: number;

  constructor(limit = 32) {
    this.#limit = limit;
  }

  for(key: string, slots: number, scorers: number, imagesGeneration: number): Shape {
    let shape = this.#shapes.get(key);
    if (shape) this.#shapes.delete(key);
    if (!shape || shape.filteredAt.length < slots || shape.scores.length !== scorers) {
      // Room to grow, or each new node would throw everything away.
      shape = new Shape(Math.ceil(slots * 1.25) + 16, scorers, imagesGeneration);
      if (this.#shapes.size >= this.#limit) this.#shapes.delete(this.#shapes.keys().next().value!);
    } else if (shape.imagesGeneration !== imagesGeneration) {
      shape.scoredAt.fill(0);
      shape.imagesGeneration = imagesGeneration;
    }
    this.#shapes.set(key, shape);
    return shape;
  }
}
