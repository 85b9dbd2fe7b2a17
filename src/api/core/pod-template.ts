/** upstream: pkg/registry/core/podtemplate/strategy.go. */
import { PodTemplate } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { containerColumns, formatLabels, nameColumn, text } from '../columns.ts';
import { equal } from '#machinery/meta';
import { defaultPodTemplate } from './pod-spec-defaults.ts';
import { dropDisabledTemplateFields } from './pod-strategy.ts';
import { warningsForPodTemplate } from './pod-warnings.ts';
import { checkPodTemplate } from './validation/pod-template.ts';
import type { FieldError } from '#machinery/status';

function validate(object: PodTemplate, old?: PodTemplate): FieldError[] {
  const errors: FieldError[] = [];
  checkPodTemplate(errors, 'template', object.template ?? {}, old?.template);
  return errors;
}

export const podTemplateRules = defineKind<PodTemplate>({
  kind: PodTemplate,
  applyDefaults: (object) => defaultPodTemplate((object.template ??= {})),
  prepareForCreate: (object) => dropDisabledTemplateFields(object.template),
  prepareForUpdate: (object, old) => dropDisabledTemplateFields(object.template, old.template),
  validate: (object) => validate(object),
  validateUpdate: validate,
  warnings: (object, old) =>
    old && object.metadata?.generation === old.metadata?.generation ? [] : warningsForPodTemplate(object.template, 'template'),
  generation: (object, old) => !equal(object.template, old.template),
  columns: [
    nameColumn,
    ...containerColumns<PodTemplate>((object) => object.template?.spec?.containers, 0),
    text('Pod Labels', (object) => formatLabels(object.template?.metadata?.labels)),
  ],
});
