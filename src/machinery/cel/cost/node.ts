import type { Expr } from '../syntax/ast.ts';
import type { CelType } from '../types.ts';
import type { Range } from './estimate.ts';

/** What an estimate knows of an expression. */
export interface CostNode {
  /** From the variable down: ["self", "list", "@items"]; undefined where it is no data. */
  readonly path: readonly string[] | undefined;
  readonly type: CelType;
  readonly expr: Expr | undefined;
  readonly size: Range | undefined;
}

/** Sizes of data, by path: a schema's maxItems, maxLength, maxProperties. Undefined where nothing bounds it. */
export type SizeEstimator = (node: Omit<CostNode, 'size'>) => Range | undefined;

export interface CallEstimate {
  readonly cost: Range;
  readonly size?: Range | undefined;
}
