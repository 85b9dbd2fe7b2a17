/**
 * A component's configuration file (KubeSchedulerConfiguration, …): which of its fields do something here, by a table, so that what is known
 * and has no effect is told, what is unsafe to leave out is refused, and what nobody knows is an error, as upstream's strict decoding has it.
 */
import { parse } from 'yaml';
import { readFlagFile } from './pem-files.ts';

/** 'use', 'warn' or 'refuse' (see flags/table.ts), or the fields of a nested object. */
export type FieldTable = { readonly [field: string]: 'use' | 'warn' | 'refuse' | FieldTable };

export interface ConfigurationForm {
  apiVersion: string;
  kind: string;
  fields: FieldTable;
}

type Document = Record<string, unknown>;

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);

/** What a flag's file says, in YAML or JSON. */
export function readDocument(flag: string, path: string): unknown {
  const text = readFlagFile(flag, path);
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`Cannot use ${path}: ${(error as Error).message.split('\n')[0]}`, { cause: error });
  }
}

/** The fields of the file of a flag. Throws a sentence. */
export function readConfiguration(flag: string, path: string, form: ConfigurationForm, warn: (text: string) => void): Document {
  const document = readDocument(flag, path);
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new Error(`Cannot use ${path}: it is not a ${form.kind}`);
  const { apiVersion, kind, ...rest } = document as Document;
  if (apiVersion !== form.apiVersion || kind !== form.kind)
    throw new Error(
      `Cannot use ${path}: no kind ${JSON.stringify(kind ?? '')} is registered for version ${JSON.stringify(apiVersion ?? '')}; it must be ${form.kind} of ${form.apiVersion}`,
    );
  check(path, '', rest, form.fields, warn);
  return rest;
}

function check(path: string, prefix: string, given: Document, fields: FieldTable, warn: (text: string) => void): void {
  for (const [name, value] of Object.entries(given)) {
    const what = Object.hasOwn(fields, name) ? fields[name]! : undefined;
    const field = `${prefix}${name}`;
    if (what === undefined) throw new Error(`Cannot use ${path}: strict decoding error: unknown field "${field}"`);
    if (isEmpty(value)) continue;
    if (what === 'refuse')
      throw new Error(
        `Cannot use ${path}: ${field} is not supported by coxswain, and without what it asks for the cluster would be less safe than it says`,
      );
    if (what === 'warn') warn(`${field} in ${path} has no effect: coxswain does not support it`);
    else if (what !== 'use') {
      if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`Cannot use ${path}: ${field} must be an object`);
      check(path, `${field}.`, value as Document, what, warn);
    }
  }
}

export const clientConnection: FieldTable = {
  kubeconfig: 'use',
  acceptContentTypes: 'warn',
  contentType: 'warn',
  qps: 'warn',
  burst: 'warn',
};
