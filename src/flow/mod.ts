/**
 * The pod's way as data: its steps are named once, here; log lines, spans, metrics, `coxswain flow`, the console and the docs derive from them.
 * May be imported by every part. Invariant: a pod that becomes Ready has walked exactly the steps that are not optional, in this order.
 * Read first: steps.ts; tracker.ts turns what can be seen of a pod into steps.
 */
export { steps } from './steps.ts';
export type { Step, StepId } from './steps.ts';
export type { FlowRecord, StepRecord } from './record.ts';
export { flowTracker } from './tracker.ts';
export type { FlowTracker } from './tracker.ts';
