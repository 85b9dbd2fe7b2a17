import { isLabelKey } from '#machinery/names';
import { invalidField } from '#machinery/status';
import { SelectorError } from './error.ts';
import { everything, LabelSelectorMatcher } from './label-selector.ts';
import { requirement } from './requirement.ts';
import type { Operator, Requirement } from './requirement.ts';

/** The grammar of label selectors: "a=b,c in (x,y),!d,e notin (f),g>1". upstream: apimachinery/pkg/labels/selector.go. */

type Kind = 'end' | ')' | ',' | '!' | '==' | '=' | '>' | '<' | '!=' | '(' | 'in' | 'notin' | 'identifier';

interface Token {
  kind: Kind;
  text: string;
}

const expectedOperators = 'in, notin, =, ==, !=, gt, lt';
const pattern = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))/y;

function scan(text: string): Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const [, symbol, word] = match;
    if (symbol !== undefined) tokens.push({ kind: symbol as Kind, text: symbol });
    else tokens.push({ kind: word === 'in' || word === 'notin' ? word : 'identifier', text: word! });
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

const cache = new Map<string, LabelSelectorMatcher>();
const cacheSize = 1024;

/** Throws a SelectorError with upstream's text. An empty text matches everything. `path` stands in front of field names in errors. */
export function parseLabelSelector(text: string | undefined, path = ''): LabelSelectorMatcher {
  if (!text) return everything;
  const known = cache.get(text);
  if (known) return known;
  const requirements = new Parser(scan(text), path).parse();
  const selector = requirements.length ? new LabelSelectorMatcher(requirements) : everything;
  if (cache.size >= cacheSize) cache.clear();
  cache.set(text, selector);
  return selector;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #path: string;
  #position = 0;

  constructor(tokens: readonly Token[], path: string) {
    this.#tokens = tokens;
    this.#path = path;
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    for (;;) {
      const token = this.#ahead();
      if (token.kind === 'end') return requirements;
      if (token.kind !== 'identifier' && token.kind !== '!') throw unexpected(token, ", expected: !, identifier, or 'end of string'");
      try {
        requirements.push(this.#requirement());
      } catch (error) {
        if (error instanceof SelectorError) throw new SelectorError(`unable to parse requirement: ${error.message}`);
        throw error;
      }
      const separator = this.#next();
      if (separator.kind === 'end') return requirements;
      if (separator.kind !== ',') throw unexpected(separator, ", expected: ',' or 'end of string'");
      const following = this.#ahead();
      if (following.kind !== 'identifier' && following.kind !== '!') throw unexpected(following, ", expected: identifier after ','");
    }
  }

  /** The words "in" and "notin" are operators only where one is due; elsewhere they are names. */
  #ahead(): Token {
    const token = this.#tokens[this.#position]!;
    return token.kind === 'in' || token.kind === 'notin' ? { kind: 'identifier', text: token.text } : token;
  }

  #next(): Token {
    const token = this.#ahead();
    // The end may be asked for again: it stays.
    if (this.#position < this.#tokens.length - 1) this.#position++;
    return token;
  }

  #requirement(): Requirement {
    let token = this.#next();
    const negative = token.kind === '!';
    if (negative) token = this.#next();
    if (token.kind !== 'identifier') throw unexpected(token, ', expected: identifier');
    const key = token.text;
    const errors = isLabelKey(key);
    if (errors.length) {
      const error = invalidField(this.#path || '<nil>', key, errors.join('; '));
      throw new SelectorError(`${error.field}: ${error.message}`);
    }
    const { kind } = this.#ahead();
    if (negative || kind === 'end' || kind === ',') return requirement(key, negative ? '!' : 'exists', [], this.#path);
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#list() : [this.#exactValue()];
    return requirement(key, operator, [...new Set(values)].sort(), this.#path);
  }

  #operator(): Operator {
    const token = this.#tokens[this.#position]!;
    this.#next();
    switch (token.kind) {
      case '=':
      case '==':
      case '!=':
      case 'in':
      case 'notin':
        return token.kind;
      case '>':
        return 'gt';
      case '<':
        return 'lt';
      default:
        throw unexpected(token, `, expected: ${expectedOperators}`);
    }
  }

  /** "(a,b)"; "(,a)", "(a,)" and "()" hold the empty value. */
  #list(): string[] {
    const open = this.#next();
    if (open.kind !== '(') throw unexpected(open, " expected: '('");
    const first = this.#ahead();
    if (first.kind === ')') {
      this.#next();
      return [''];
    }
    if (first.kind !== 'identifier' && first.kind !== ',') throw unexpected(first, ", expected: ',', ')' or identifier");
    const values: string[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === 'identifier') {
        values.push(token.text);
        const following = this.#ahead();
        if (following.kind === ',') continue;
        if (following.kind !== ')') throw unexpected(following, ", expected: ',' or ')'");
        break;
      }
      if (token.kind !== ',') throw unexpected(token, ", expected: ',', or identifier");
      if (values.length === 0) values.push('');
      const { kind } = this.#ahead();
      if (kind === ',' || kind === ')') values.push('');
      if (kind === ')') break;
    }
    this.#next();
    return values;
  }

  #exactValue(): string {
    const { kind } = this.#ahead();
    if (kind === 'end' || kind === ',') return '';
    const token = this.#next();
    if (token.kind !== 'identifier') throw unexpected(token, ', expected: identifier');
    return token.text;
  }
}

const unexpected = (token: Token, expected: string): SelectorError => new SelectorError(`found '${token.text}'${expected}`);
