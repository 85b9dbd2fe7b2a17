/** Walks scenarios on one peer. */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { namespaceOf } from './corpus/scenario.ts';
import type { Scenario, Step } from './corpus/scenario.ts';
import type { HttpPeer, RawAnswer } from './http-peer.ts';
import { answerOf, read } from './normalize.ts';
import type { Answer } from './normalize.ts';

export interface Asked {
  id: string;
  step: Step;
  answer: Answer;
  /** The same with big documents reduced. */
  kept?: Answer;
}

export const idOf = (scenario: Scenario, step: Step): string => `${scenario.name}/${step.name}`;

/** Changes when the request does: a recorded answer to another question says nothing. */
export const questionOf = (step: Step): string =>
  createHash('sha256')
    .update(JSON.stringify([step.method, step.path, step.headers, step.body, step.as, step.view]))
    .digest('base64url')
    .slice(0, 8);

const patience = 15_000;

export async function walkScenario(peer: HttpPeer, scenario: Scenario, whole = false): Promise<Asked[]> {
  const variables = new Map<string, string>();
  const fill = (text: string): string => text.replace(/\{\{(\w+)\}\}/g, (all, name: string) => variables.get(name) ?? all);
  const send = async (step: Step): Promise<RawAnswer> => {
    const body = step.body === undefined ? undefined : fill(typeof step.body === 'string' ? step.body : JSON.stringify(step.body));
    const headers: Record<string, string | string[]> = {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...step.headers,
      ...(step.as && { 'impersonate-user': step.as.user }),
      ...(step.as?.groups && { 'impersonate-group': step.as.groups }),
    };
    const deadline = performance.now() + patience;
    for (;;) {
      const raw = await peer.send({ method: step.method, path: fill(step.path), headers, ...(body !== undefined && { body }) });
      if (!step.until || step.until(read(raw)) || performance.now() > deadline) return raw;
      await wait(10);
    }
  };
  const namespace = namespaceOf(scenario.name);
  if (scenario.namespace) {
    const labels = typeof scenario.namespace === 'object' ? scenario.namespace.labels : undefined;
    await send({ name: '', method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: namespace, labels } } });
    await send({
      name: '',
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/serviceaccounts`,
      body: { metadata: { name: 'default' } },
    });
  }
  for (const step of scenario.setup ?? []) await send(step);
  const asked: Asked[] = [];
  for (const step of scenario.steps) {
    const raw = await send(step);
    for (const [name, path] of Object.entries(step.keep ?? {})) {
      const value = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], read(raw));
      if (typeof value === 'string' || typeof value === 'number') variables.set(name, String(value));
    }
    const answer = answerOf(raw, step.view, whole);
    asked.push({ id: idOf(scenario, step), step, answer, kept: whole && step.view ? answerOf(raw, step.view) : answer });
  }
  for (const step of scenario.cleanup ?? []) await send(step);
  return asked;
}
