/** What the handlers are given and what they answer; both ways into the server, HTTP and in process, speak it. */
import type { Status } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { CachedObject, ServedResource } from '../contract.ts';
import type { RequestContext } from '../registry/contract.ts';
import type { ListResult } from '../registry/generic/listing.ts';
import type { RunningWatch, WatchSink } from '../registry/generic/watching.ts';

/** A body as it came: bytes with their media type, or, in process, the value itself. */
export interface RequestBody {
  mediaType: string;
  bytes?: Uint8Array;
  value?: unknown;
}

export interface ApiRequest {
  context: RequestContext;
  body: RequestBody | undefined;
}

export type Answer =
  /** One object or Status. `cached`: its bytes, where it is the cached state; `served`: for Table and PartialObjectMetadata. */
  | { type: 'object'; code: number; object: KubeObject | Status; cached?: CachedObject; served?: ServedResource }
  | { type: 'list'; served: ServedResource; result: ListResult }
  /** `open` starts it; after `timeout` milliseconds the server ends it. `patient`: see WatchCache. */
  | {
      type: 'watch';
      served: ServedResource;
      timeout: number;
      open(sink: WatchSink, ended: () => void, patient?: boolean): Promise<RunningWatch>;
    };
