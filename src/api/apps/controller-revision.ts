/** upstream: pkg/registry/apps/controllerrevision/strategy.go. */
import { ControllerRevision } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { controllerOf } from '#machinery/meta';
import { validateControllerRevision, validateControllerRevisionUpdate } from './controller-revision-validation.ts';

function controllerText(revision: ControllerRevision): string {
  const owner = controllerOf(revision);
  if (!owner) return '<none>';
  const group = owner.apiVersion.includes('/') ? owner.apiVersion.split('/')[0]! : '';
  return `${(group ? `${owner.kind}.${group}` : owner.kind).toLowerCase()}/${owner.name}`;
}

export const controllerRevisionRules = defineKind<ControllerRevision>({
  kind: ControllerRevision,
  validate: validateControllerRevision,
  validateUpdate: validateControllerRevisionUpdate,
  columns: [text('Controller', controllerText), text('Revision', (revision) => revision.revision), ageColumn],
});
