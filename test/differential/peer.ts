/** An API server that is asked. */
export interface Peer {
  name: 'coxswain' | 'upstream';
  url: string;
  /** PEM of the authority of its certificate. */
  ca: string;
  stop(): Promise<void>;
}
