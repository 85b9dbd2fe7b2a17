/** The options of requests, from query and body. upstream: apimachinery/pkg/apis/meta/{v1,internalversion}. */
import { kindFact } from '#api/facts';
import { validateDeleteOptions, validatePatchOptions, validateWriteOptions } from '#machinery/names';
import type { KubeObject } from '#machinery/meta';
import { badRequest, forbiddenField, invalid, notSupported } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { DeleteOptions, RequestContext } from '../registry/contract.ts';
import { StructureError } from '../registry/structure.ts';
import type { RequestBody } from './contract.ts';
import { SyntaxProblem, conformTo, parseBody, structured, unregistered } from './decode.ts';
import type { Decoded } from './decode.ts';

const meta = 'meta.k8s.io';

/** Go's strconv.ParseBool as query parameters use it: anything but false and 0 is true. */
export function booleanOf(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  return !['false', '0'].includes(value.toLowerCase());
}

export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^[+-]?\d+$/.test(value)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  return Number(value);
}

function check(kind: string, errors: FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: meta, kind }, '', errors);
}

const writeOptions = (query: URLSearchParams): { dryRun?: string[]; fieldManager?: string; fieldValidation?: string } => {
  const dryRun = query.getAll('dryRun');
  const fieldManager = query.get('fieldManager');
  const fieldValidation = query.get('fieldValidation');
  return { ...(dryRun.length > 0 && { dryRun }), ...(fieldManager && { fieldManager }), ...(fieldValidation && { fieldValidation }) };
};

export function checkWriteOptions(query: URLSearchParams, kind: 'CreateOptions' | 'UpdateOptions'): void {
  if (query.size > 0) check(kind, validateWriteOptions(writeOptions(query)));
}

export function checkPatchOptions(query: URLSearchParams, apply: boolean): void {
  const force = booleanOf(query, 'force');
  check('PatchOptions', validatePatchOptions({ ...writeOptions(query), ...(force !== undefined && { force }) }, apply));
}

/** DeleteOptions of a request, and its context, which a dry run asked for in the body changes. */
export async function deleteOptionsOf(
  context: RequestContext,
  body: RequestBody | undefined,
): Promise<{ options: DeleteOptions; context: RequestContext }> {
  const { query } = context;
  const decoded = body && (!body.bytes || body.bytes.length > 0) ? await parseOptions(body) : undefined;
  let options: DeleteOptions & { dryRun?: string[] } & KubeObject;
  if (decoded?.value !== undefined && decoded.value !== null) {
    try {
      options = structured(conformTo('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'), decoded, 'Ignore', context) as typeof options;
    } catch (error) {
      if (error instanceof StructureError) throw badRequest(error.message);
      throw error;
    }
    const { kind, apiVersion } = options;
    if (kind !== undefined && kind !== 'DeleteOptions') {
      const [group, version] = apiVersion?.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion ?? ''];
      throw badRequest(
        kindFact(group, version, kind) ? 'decoded object cannot be converted to DeleteOptions' : unregistered(kind, apiVersion ?? ''),
      );
    }
  } else {
    const grace = integerOf(query, 'gracePeriodSeconds');
    const orphan = booleanOf(query, 'orphanDependents');
    const policy = query.get('propagationPolicy');
    options = {
      ...(grace !== undefined && { gracePeriodSeconds: grace }),
      ...(orphan !== undefined && { orphanDependents: orphan }),
      ...(policy && { propagationPolicy: policy as NonNullable<DeleteOptions['propagationPolicy']> }),
      ...(query.has('dryRun') && { dryRun: query.getAll('dryRun') }),
    };
  }
  if (decoded?.value !== undefined && decoded.value !== null) context.audit?.requestObject(options, true);
  check('DeleteOptions', validateDeleteOptions(options));
  const dryRun = context.dryRun || Boolean(options.dryRun?.length);
  return { options, context: dryRun === context.dryRun ? context : { ...context, dryRun, signal: context.signal } };
}

async function parseOptions(body: RequestBody): Promise<Decoded> {
  try {
    return await parseBody(body, 'Ignore');
  } catch (error) {
    if (error instanceof SyntaxProblem) throw badRequest(`couldn't get version/kind; json parse error: ${error.message}`);
    throw error;
  }
}

export interface ListOptions {
  labelSelector: string;
  fieldSelector: string;
  limit: number;
  continue: string;
  resourceVersion: string;
  resourceVersionMatch: string;
  timeoutSeconds: number;
  allowWatchBookmarks: boolean;
  sendInitialEvents: boolean | undefined;
}

export function listOptionsOf(query: URLSearchParams, watch: boolean): ListOptions {
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: integerOf(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    timeoutSeconds: integerOf(query, 'timeoutSeconds') ?? 0,
    allowWatchBookmarks: booleanOf(query, 'allowWatchBookmarks') ?? false,
    sendInitialEvents: booleanOf(query, 'sendInitialEvents'),
  };
  check('ListOptions', watch ? watchErrors(options) : listErrors(options));
  return options;
}

const matchField = 'resourceVersionMatch';

function listErrors(options: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  const { resourceVersionMatch: match } = options;
  if (match) {
    if (!options.resourceVersion) errors.push(forbiddenField(matchField, `${matchField} is forbidden unless resourceVersion is provided`));
    if (options.continue) errors.push(forbiddenField(matchField, `${matchField} is forbidden when continue is provided`));
    if (match !== 'Exact' && match !== 'NotOlderThan') errors.push(notSupported(matchField, match, ['Exact', 'NotOlderThan', ''], false));
    if (match === 'Exact' && options.resourceVersion === '0')
      errors.push(forbiddenField(matchField, `${matchField} "exact" is forbidden for resourceVersion "0"`));
  }
  if (options.sendInitialEvents !== undefined) errors.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  return errors;
}

function watchErrors(options: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  const { resourceVersionMatch: match, sendInitialEvents } = options;
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    errors.push(forbiddenField(matchField, `sendInitialEvents requires setting ${matchField} to NotOlderThan`));
  if (match) {
    if (sendInitialEvents === undefined)
      errors.push(forbiddenField(matchField, `${matchField} is forbidden for watch unless sendInitialEvents is provided`));
    if (match !== 'NotOlderThan') errors.push(notSupported(matchField, match, ['NotOlderThan']));
    if (options.continue) errors.push(forbiddenField(matchField, `${matchField} is forbidden when continue is provided`));
  }
  return errors;
}
