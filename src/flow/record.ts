import type { StepId } from './steps.ts';

/** When a pod ended a step, and what shows it. Times in milliseconds since 1970, as the control plane's clock saw them. */
export interface StepRecord {
  id: StepId;
  at: number;
  evidence: string;
}

/** A pod's way so far. */
export interface FlowRecord {
  namespace: string;
  name: string;
  uid: string;
  /** When the API server first saw the request for it, as far as is known. */
  began: number;
  steps: StepRecord[];
  /** Why it is not Ready, where it is not: the step it is in and what holds it. */
  stuck?: { step: StepId; why: string };
  gone?: boolean;
}
