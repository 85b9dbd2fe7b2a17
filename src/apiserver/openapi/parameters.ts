/** Parameters of operations. upstream: apiserver/pkg/endpoints/installer.go, and the options types that it reads. */
import type { Dialect, JsonSchema } from './schemas.ts';

export interface Parameter {
  name: string;
  in: 'query' | 'path';
  description: string;
  type: 'string' | 'integer' | 'boolean';
}

const query = (name: string, description: string, type: Parameter['type'] = 'string'): Parameter => ({
  name,
  in: 'query',
  description,
  type,
});

const dryRun = query('dryRun', 'All: go through every step but do not store the result.');
const fieldManager = query('fieldManager', 'Who makes the change; at most 128 printable characters.');
const fieldValidation = query('fieldValidation', 'What to do about unknown and duplicate fields: Ignore, Warn or Strict.');
const force = query('force', 'For apply: take over fields that others manage.', 'boolean');

export const pretty = query('pretty', 'Indent the answer.');
export const namePath = (kind: string): Parameter => ({ name: 'name', in: 'path', description: `name of the ${kind}`, type: 'string' });
export const namespacePath: Parameter = { name: 'namespace', in: 'path', description: 'the namespace', type: 'string' };
export const restOfPath: Parameter = { name: 'path', in: 'path', description: 'path to the resource', type: 'string' };

export const writing = [dryRun, fieldManager, fieldValidation];
export const patching = [...writing, force];
export const selecting = [
  query('continue', 'The token that a limited list answered, to get its next page.'),
  query('fieldSelector', 'Only objects whose fields match.'),
  query('labelSelector', 'Only objects whose labels match.'),
  query('limit', 'At most so many objects.', 'integer'),
  query('resourceVersion', 'How fresh the answer must be.'),
  query('resourceVersionMatch', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'Begin a watch with what exists, marked by a bookmark.', 'boolean'),
  query('timeoutSeconds', 'How long a list or watch may take.', 'integer'),
];
export const listing = [
  query('allowWatchBookmarks', 'Send events that only tell the revision.', 'boolean'),
  query('watch', 'Stream changes.', 'boolean'),
  ...selecting,
];
export const deleting = [
  dryRun,
  query('gracePeriodSeconds', 'Seconds the object has to end; 0 removes it at once.', 'integer'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'Delete what cannot be read.', 'boolean'),
  query('orphanDependents', 'Deprecated: use propagationPolicy.', 'boolean'),
  query('propagationPolicy', 'What becomes of dependents: Orphan, Background or Foreground.'),
];

const container = query('container', 'The container; needed where the pod has several.');
const terminal = [
  container,
  query('stderr', 'Send what is written to standard error.', 'boolean'),
  query('stdin', 'Take standard input.', 'boolean'),
  query('stdout', 'Send what is written to standard output.', 'boolean'),
  query('tty', 'With a terminal.', 'boolean'),
];
const proxied = [query('path', 'The path to ask for.')];

/** By the kind of a subresource's options (and of pods' log, whose kind is Pod, by its name). upstream: core/v1 types.go, Pod*Options. */
export const connecting: Record<string, Parameter[]> = {
  PodAttachOptions: terminal,
  PodExecOptions: [query('command', 'The command, an argument a parameter.'), ...terminal],
  PodPortForwardOptions: [query('ports', 'The ports, over WebSockets.', 'integer')],
  NodeProxyOptions: proxied,
  PodProxyOptions: proxied,
  ServiceProxyOptions: proxied,
  log: [
    container,
    query('follow', 'Go on as more is written.', 'boolean'),
    query('insecureSkipTLSVerifyBackend', "Do not ask for the kubelet's certificate.", 'boolean'),
    query('limitBytes', 'At most so many bytes.', 'integer'),
    query('previous', 'Of the container that ran before.', 'boolean'),
    query('sinceSeconds', 'Of the last seconds only.', 'integer'),
    query('stream', 'Which stream: All, Stdout or Stderr.'),
    query('tailLines', 'Only the last lines.', 'integer'),
    query('timestamps', 'A time before every line.', 'boolean'),
  ],
};

/** In the order of their names. */
export const parameterSchemas = (parameters: readonly Parameter[], dialect: Dialect): JsonSchema[] =>
  parameters
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ name, in: place, description, type }) => {
      const shape = { type, uniqueItems: true };
      return {
        name,
        in: place,
        description,
        ...(place === 'path' && { required: true }),
        ...(dialect === 'v3' ? { schema: shape } : shape),
      };
    });
