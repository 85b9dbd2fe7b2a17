/** The numbers of all nodes, one typed array a field: what filters and scores read most lies together and is never boxed. */
const fields = [
  'allocatableMilliCpu',
  'allocatableMemory',
  'allocatableEphemeralStorage',
  'allocatablePods',
  'requestedMilliCpu',
  'requestedMemory',
  'requestedEphemeralStorage',
  'nonZeroMilliCpu',
  'nonZeroMemory',
  'pods',
  'generation',
] as const;

export class NodeColumns {
  allocatableMilliCpu: Float64Array;
  allocatableMemory: Float64Array;
  allocatableEphemeralStorage: Float64Array;
  allocatablePods: Float64Array;
  requestedMilliCpu: Float64Array;
  requestedMemory: Float64Array;
  requestedEphemeralStorage: Float64Array;
  nonZeroMilliCpu: Float64Array;
  nonZeroMemory: Float64Array;
  pods: Float64Array;
  /** Grows with every change of the node, over all nodes: equal means unchanged. */
  generation: Float64Array;

  constructor(rows: number) {
    this.allocatableMilliCpu = new Float64Array(rows);
    this.allocatableMemory = new Float64Array(rows);
    this.allocatableEphemeralStorage = new Float64Array(rows);
    this.allocatablePods = new Float64Array(rows);
    this.requestedMilliCpu = new Float64Array(rows);
    this.requestedMemory = new Float64Array(rows);
    this.requestedEphemeralStorage = new Float64Array(rows);
    this.nonZeroMilliCpu = new Float64Array(rows);
    this.nonZeroMemory = new Float64Array(rows);
    this.pods = new Float64Array(rows);
    this.generation = new Float64Array(rows);
  }

  get rows(): number {
    return this.generation.length;
  }

  grow(rows: number): void {
    for (const field of fields) {
      const larger = new Float64Array(rows);
      larger.set(this[field]);
      this[field] = larger;
    }
  }

  clear(row: number): void {
    for (const field of fields) this[field][row] = 0;
  }

  /** A table of one row with a copy of this row. */
  copyRow(row: number): NodeColumns {
    const copy = new NodeColumns(1);
    for (const field of fields) copy[field][0] = this[field][row]!;
    return copy;
  }
}
