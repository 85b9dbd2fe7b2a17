import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { AdmissionAttributes, Operation, ServedResource, UserInfo } from '../../contract.ts';
import type { DeleteOptions, RequestContext } from '../contract.ts';
import { requestOptions } from './request-options.ts';

/** A write on a resource as admission sees it. The options are made when first asked for: few plugins do. */
export class WriteAttributes implements AdmissionAttributes {
  readonly operation: Operation;
  readonly kind: Kind;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly dryRun: boolean;
  readonly user: UserInfo;
  readonly served: ServedResource;
  readonly #context: RequestContext;
  readonly #deleteOptions: DeleteOptions;
  #options: Record<string, unknown> | undefined;

  constructor(
    served: ServedResource,
    operation: Operation,
    context: RequestContext,
    namespace: string,
    name: string,
    object: KubeObject | undefined,
    oldObject: KubeObject | undefined,
    subresource = '',
    options: DeleteOptions = {},
  ) {
    const { kind } = served;
    this.operation = operation;
    this.kind = kind;
    this.subresource = subresource;
    // A Namespace is in itself, as upstream has it.
    this.namespace = kind.resource === 'namespaces' && kind.group === '' ? name : namespace;
    this.name = name;
    this.object = object;
    this.oldObject = oldObject;
    this.dryRun = context.dryRun;
    this.user = context.user;
    this.served = served;
    this.#context = context;
    this.#deleteOptions = options;
  }

  get options(): Record<string, unknown> {
    return (this.#options ??= requestOptions(this.operation, this.#context, this.#deleteOptions));
  }

  warn(text: string): void {
    this.#context.warn(text);
  }

  annotate(key: string, value: string): void {
    this.#context.annotate(key, value);
  }
}
