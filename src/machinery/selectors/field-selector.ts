import { SelectorError } from './error.ts';

/** Field selectors: "metadata.name=a,spec.nodeName!=b". upstream: apimachinery/pkg/fields. */

export interface FieldTerm {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** Where values of fields come from; a field that is not there is the empty string. */
export type FieldSource = Readonly<Record<string, string>> | ((field: string) => string | undefined);

export class FieldSelectorMatcher {
  readonly terms: readonly FieldTerm[];

  constructor(terms: readonly FieldTerm[]) {
    this.terms = terms;
  }

  get empty(): boolean {
    return this.terms.length === 0;
  }

  matches(source: FieldSource): boolean {
    for (const { field, operator, value } of this.terms) {
      const found = (typeof source === 'function' ? source(field) : source[field]) ?? '';
      if ((found === value) !== (operator === '=')) return false;
    }
    return true;
  }

  /** The one value that `field` must have, if the selector asks for one. */
  requiresExactMatch(field: string): string | undefined {
    return this.terms.find((term) => term.field === field && term.operator === '=')?.value;
  }

  /** The same selector on other names or values; undefined drops the term. `change` throws where a field is not known. */
  transform(change: (field: string, value: string) => [field: string, value: string] | undefined): FieldSelectorMatcher {
    const terms = this.terms.flatMap(({ field, operator, value }): FieldTerm[] => {
      const changed = change(field, value);
      return changed ? [{ field: changed[0], operator, value: changed[1] }] : [];
    });
    return new FieldSelectorMatcher(terms);
  }

  toString(): string {
    return this.terms.map(({ field, operator, value }) => `${field}${operator}${escapeFieldValue(value)}`).join(',');
  }
}

export const everyField = new FieldSelectorMatcher([]);

export const fieldEquals = (field: string, value: string): FieldSelectorMatcher =>
  new FieldSelectorMatcher([{ field, operator: '=', value }]);

export const escapeFieldValue = (value: string): string => value.replace(/[\\,=]/g, '\\$&');

function unescape(text: string): string {
  if (!/[\\,=]/.test(text)) return text;
  let value = '';
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (character === ',' || character === '=')
      throw new SelectorError(`invalid field selector: unescaped character in value: ${character.codePointAt(0)}`);
    if (character !== '\\') {
      value += character;
      continue;
    }
    const [escaped = ''] = text.slice(++index);
    if (escaped === '' || !'\\,='.includes(escaped))
      throw new SelectorError(`invalid field selector: invalid escape sequence: \\${escaped}`);
    value += escaped;
  }
  return value;
}

/** Throws a SelectorError with upstream's text. An empty text matches everything. */
export function parseFieldSelector(text: string | undefined): FieldSelectorMatcher {
  if (!text) return everyField;
  const parts = (text.match(/(?:\\[^]|[^,\\]|\\$)+/g) ?? []).sort();
  const terms = parts.map((part): FieldTerm => {
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(part);
    if (!match) throw new SelectorError(`invalid selector: '${text}'; can't understand '${part}'`);
    const [, field, operator, value] = match as unknown as [string, string, string, string];
    return { field, operator: operator === '!=' ? '!=' : '=', value: unescape(value) };
  });
  return terms.length ? new FieldSelectorMatcher(terms) : everyField;
}
