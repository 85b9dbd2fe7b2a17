import type { KubeObject } from '#machinery/meta';

/** What an endpoint answers that has nothing to say but that it was done. */
export const success = (): KubeObject => ({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }) as KubeObject;
