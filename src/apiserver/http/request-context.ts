import type { RequestInfo, UserInfo } from '../contract.ts';
import type { AuditTrail } from '../audit/index.ts';
import type { Exchange } from '../proxy/contract.ts';
import type { RequestContext } from '../registry/contract.ts';

/** What the registry is told of an HTTP request. Its signal is made when first asked for: a copy by spreading has none. */
export class HttpRequestContext implements RequestContext {
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly query: URLSearchParams;
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly warn: (text: string) => void;
  readonly annotate: (key: string, value: string) => void;
  readonly audit: AuditTrail | undefined;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange, told: Omit<RequestContext, 'signal'>) {
    this.info = told.info;
    this.user = told.user;
    this.query = told.query;
    this.dryRun = told.dryRun;
    this.fieldManager = told.fieldManager;
    this.warn = told.warn;
    this.annotate = told.annotate;
    this.audit = told.audit;
    this.#exchange = exchange;
  }

  get signal(): AbortSignal {
    return this.#exchange.signal;
  }
}
