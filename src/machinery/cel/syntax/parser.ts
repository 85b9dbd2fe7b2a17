import { CelCompileError } from '../source.ts';
import type { Issue, Source } from '../source.ts';
import { binaryOperators, operators } from './ast.ts';
import type { Expr, MapEntry, StructField } from './ast.ts';
import { Builder } from './builder.ts';
import { tokenize } from './lexer.ts';
import type { Token } from './lexer.ts';
import { parseInt64, parseUint64, unquote, unquoteBytes } from './literals.ts';
import { MacroError, bindings, macros } from './macros.ts';

/** From text to expression, with cel-go's limits and words for errors. upstream: cel-go parser/parser.go. */

const maxSize = 100_000;
const maxDepth = 250;
const reserved = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(' '),
);
const starts = "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER";
const startsOrParen = starts.replace("'('", "'(', ')'");
const startsOrOptional = starts.replace("'!'", "'!', '?'");

class Abort extends Error {}

/** Throws a CelCompileError with every issue found. */
/** `binds`: cel.bind is a macro. */
export function parse(source: Source, binds = false): Expr {
  const issues: Issue[] = [];
  if (source.characters.length > maxSize) {
    issues.push({ offset: -1, message: `expression code point size exceeds limit: size: ${source.characters.length}, limit ${maxSize}` });
    throw new CelCompileError(source, issues);
  }
  const tokens = tokenize(source.text, issues);
  let expr: Expr | undefined;
  try {
    expr = new Parser(tokens, issues, binds).parse();
  } catch (error) {
    if (!(error instanceof Abort)) throw error;
  }
  if (issues.length || !expr) throw new CelCompileError(source, issues);
  return expr;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #issues: Issue[];
  readonly #binds: boolean;
  readonly #build = new Builder();
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], issues: Issue[], binds: boolean) {
    this.#binds = binds;
    this.#tokens = tokens;
    this.#issues = issues;
  }

  parse(): Expr {
    const expr = this.#expr();
    const token = this.#peek();
    if (token.kind !== 'end') {
      // One word too many can be dropped; more of them are another sentence.
      const kind = this.#tokens[this.#position + 1]?.kind === 'end' ? 'extraneous' : 'mismatched';
      this.#syntax(token, `${kind} input '${token.text}' expecting <EOF>`);
    }
    return expr;
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#position + ahead, this.#tokens.length - 1)]!;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#position++;
    return token;
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return token.text === text && (token.kind === 'symbol' || token.kind === 'in');
  }

  #take(text: string): Token | undefined {
    return this.#is(text) ? this.#next() : undefined;
  }

  /** Reports and stops: what comes after a syntax error is guesswork. */
  #syntax(token: Token, message: string): never {
    this.#issues.push({ offset: token.offset, message: `Syntax error: ${message}` });
    throw new Abort();
  }

  #mismatch(expected: string): never {
    const token = this.#peek();
    this.#syntax(token, `mismatched input '${token.text}' expecting ${expected}`);
  }

  #closing(symbol: string): void {
    if (this.#take(symbol)) return;
    const token = this.#peek();
    this.#syntax(token, token.kind === 'end' ? `missing '${symbol}' at '<EOF>'` : `mismatched input '${token.text}' expecting '${symbol}'`);
  }

  #issue(offset: number, message: string): Expr {
    this.#issues.push({ offset, message });
    return this.#build.literal(null, offset);
  }

  #deeper<T>(run: () => T): T {
    if (++this.#depth > maxDepth) {
      this.#issues.push({ offset: -1, message: `expression recursion limit exceeded: ${maxDepth}` });
      throw new Abort();
    }
    const result = run();
    this.#depth--;
    return result;
  }

  #expr(expected = starts): Expr {
    return this.#deeper(() => {
      const condition = this.#logical(operators.or, expected);
      const question = this.#take('?');
      if (!question) return condition;
      const then = this.#logical(operators.or);
      if (!this.#take(':')) this.#mismatch("':'");
      const otherwise = this.#expr();
      return this.#build.call(operators.conditional, [condition, then, otherwise], question.offset);
    });
  }

  /** Chains of && and ||, made into balanced trees so that long ones are not deep ones. */
  #logical(fn: string, expected = starts): Expr {
    const symbol = fn === operators.or ? '||' : '&&';
    const operand = (first: string): Expr => (fn === operators.or ? this.#logical(operators.and, first) : this.#relation(first));
    const terms = [operand(expected)];
    const places: number[] = [];
    for (let token = this.#take(symbol); token; token = this.#take(symbol)) {
      places.push(token.offset);
      terms.push(operand(starts));
    }
    if (terms.length === 1) return terms[0]!;
    const tree = (low: number, high: number): Expr => {
      const middle = (low + high + 1) >> 1;
      const left = middle === low ? terms[middle]! : tree(low, middle - 1);
      const right = middle === high ? terms[middle + 1]! : tree(middle + 1, high);
      return this.#build.call(fn, [left, right], places[middle]!);
    };
    return tree(0, places.length - 1);
  }

  #relation(expected: string): Expr {
    return this.#binary(['<', '<=', '>=', '>', '==', '!=', 'in'], (first) => this.#sum(first), expected);
  }

  #sum(expected: string): Expr {
    return this.#binary(['+', '-'], (first) => this.#product(first), expected);
  }

  #product(expected: string): Expr {
    return this.#binary(['*', '/', '%'], (first) => this.#unary(first), expected);
  }

  #binary(symbols: readonly string[], operand: (expected: string) => Expr, expected: string): Expr {
    let left = operand(expected);
    for (;;) {
      const symbol = symbols.find((each) => this.#is(each));
      if (!symbol) return left;
      const { offset } = this.#next();
      left = this.#build.call(binaryOperators[symbol]!, [left, operand(starts)], offset);
    }
  }

  #unary(expected: string): Expr {
    const symbol = this.#is('!') ? '!' : this.#is('-') ? '-' : undefined;
    if (!symbol) return this.#member(expected);
    if (symbol === '-' && ['int', 'double'].includes(this.#peek(1).kind)) return this.#member(expected);
    const { offset } = this.#peek();
    let count = 0;
    while (this.#take(symbol)) count++;
    if (this.#peek().kind === 'end') {
      const token = this.#peek();
      this.#syntax(
        token,
        symbol === '!' ? `extraneous input '<EOF>' expecting {${starts}}` : `no viable alternative at input '${'-'.repeat(count)}'`,
      );
    }
    const operand = this.#member(starts);
    return count % 2 === 0 ? operand : this.#build.call(symbol === '!' ? operators.not : operators.negate, [operand], offset);
  }

  #member(expected: string): Expr {
    let expr = this.#primary(expected);
    let steps = 0;
    for (;;) {
      const dot = this.#take('.');
      const bracket = dot ? undefined : this.#take('[');
      if (!dot && !bracket) break;
      steps++;
      if (this.#depth + steps > maxDepth) this.#deeper(() => this.#limit());
      expr = dot ? this.#select(expr, dot) : this.#index(expr, bracket!);
    }
    return expr;
  }

  #limit(): never {
    this.#issues.push({ offset: -1, message: `expression recursion limit exceeded: ${maxDepth}` });
    throw new Abort();
  }

  #select(operand: Expr, dot: Token): Expr {
    const optional = this.#take('?') !== undefined;
    const token = this.#peek();
    if (token.kind !== 'identifier' && token.kind !== 'escaped') {
      if (['true', 'false', 'null', 'in'].includes(token.kind)) this.#mismatch('IDENTIFIER');
      this.#syntax(token, `no viable alternative at input '.${token.kind === 'end' ? '' : token.text}'`);
    }
    this.#next();
    if (token.kind === 'escaped') return this.#issue(token.offset, "unsupported syntax: '`'");
    if (optional) {
      const field = this.#build.literal(token.text, token.offset);
      return this.#build.call(operators.optSelect, [operand, field], dot.offset);
    }
    const open = this.#take('(');
    if (open) return this.#call(token.text, this.#arguments(), open.offset, operand);
    return { kind: 'select', id: this.#build.id(), offset: dot.offset, operand, field: token.text, test: false };
  }

  #index(operand: Expr, bracket: Token): Expr {
    const optional = this.#take('?') !== undefined;
    const index = this.#expr(optional ? starts : startsOrOptional);
    this.#closing(']');
    return this.#build.call(optional ? operators.optIndex : operators.index, [operand, index], bracket.offset);
  }

  /** Up to and with the closing parenthesis. */
  #arguments(): Expr[] {
    const args: Expr[] = [];
    if (this.#take(')')) return args;
    args.push(this.#expr(startsOrParen));
    while (this.#take(',')) args.push(this.#expr());
    if (!this.#take(')')) this.#mismatch("{')', ','}");
    return args;
  }

  #call(fn: string, args: readonly Expr[], offset: number, target?: Expr): Expr {
    const form = `${fn}:${args.length}:${target !== undefined}`;
    const macro = macros.get(form) ?? (this.#binds ? bindings.get(form) : undefined);
    if (macro) {
      try {
        const expanded = macro(this.#build, target, args, offset);
        if (expanded) return expanded;
      } catch (error) {
        if (error instanceof MacroError) return this.#issue(error.offset, error.message);
        throw error;
      }
    }
    return this.#build.call(fn, args, offset, target);
  }

  #primary(expected: string): Expr {
    const token = this.#peek();
    const { offset } = token;
    switch (token.kind) {
      case 'true':
      case 'false':
        this.#next();
        return this.#build.literal(token.kind === 'true', offset);
      case 'null':
        this.#next();
        return this.#build.literal(null, offset);
      case 'int':
      case 'double':
        this.#next();
        return this.#number(token.text, token.kind, offset);
      case 'uint':
        this.#next();
        return this.#literal(parseUint64(token.text.slice(0, -1)), offset, 'invalid uint literal');
      case 'string': {
        this.#next();
        const text = unquote(token.text);
        return 'error' in text ? this.#issue(offset, text.error) : this.#build.literal(text.value, offset);
      }
      case 'bytes': {
        this.#next();
        const bytes = unquoteBytes(token.text.slice(1));
        return 'error' in bytes ? this.#issue(offset, bytes.error) : this.#build.literal(bytes.value, offset);
      }
      case 'identifier':
        return this.#name();
    }
    if (this.#take('(')) {
      const inner = this.#expr();
      this.#closing(')');
      return inner;
    }
    if (this.#take('[')) return this.#list(offset);
    if (this.#take('{')) return this.#map(offset);
    if (this.#is('.')) return this.#name();
    if (this.#is('-')) {
      this.#next();
      const number = this.#next();
      return this.#number(`-${number.text}`, number.kind as 'int' | 'double', offset);
    }
    // A word too many before one that could begin an expression.
    if (token.kind === 'symbol' && expected === starts && this.#position > 0 && this.#begins(this.#peek(1)))
      this.#syntax(token, `extraneous input '${token.text}' expecting {${expected}}`);
    return this.#mismatch(`{${expected}}`);
  }

  #begins(token: Token): boolean {
    return token.kind === 'symbol'
      ? '[{(.-!'.includes(token.text)
      : token.kind !== 'end' && token.kind !== 'in' && token.kind !== 'escaped';
  }

  #number(text: string, kind: 'int' | 'double', offset: number): Expr {
    return kind === 'int'
      ? this.#literal(parseInt64(text), offset, 'invalid int literal')
      : this.#literal(Number.isFinite(Number(text)) ? Number(text) : undefined, offset, 'invalid double literal');
  }

  #literal(value: Parameters<Builder['literal']>[0] | undefined, offset: number, complaint: string): Expr {
    return value === undefined ? this.#issue(offset, complaint) : this.#build.literal(value, offset);
  }

  /** A name, a call, or a message: they begin alike. */
  #name(): Expr {
    const leading = this.#take('.');
    const token = this.#peek();
    if (token.kind !== 'identifier') this.#mismatch('IDENTIFIER');
    this.#next();
    const name = leading ? `.${token.text}` : token.text;
    const open = this.#take('(');
    const start = leading?.offset ?? token.offset;
    if (open) {
      if (reserved.has(token.text)) {
        this.#arguments();
        return this.#issue(start, `reserved identifier: ${token.text}`);
      }
      return this.#call(name, this.#arguments(), open.offset);
    }
    const message = this.#messageName(name);
    if (message) return this.#struct(message);
    if (reserved.has(token.text)) return this.#issue(start, `reserved identifier: ${token.text}`);
    return this.#build.ident(name, token.offset);
  }

  /** "a.b.C" where "{" follows it: then it has been read. */
  #messageName(first: string): string | undefined {
    let ahead = 0;
    let name = first;
    while (this.#peek(ahead).text === '.' && this.#peek(ahead + 1).kind === 'identifier') {
      name += `.${this.#peek(ahead + 1).text}`;
      ahead += 2;
    }
    if (this.#peek(ahead).kind !== 'symbol' || this.#peek(ahead).text !== '{') return undefined;
    this.#position += ahead;
    return name;
  }

  #struct(type: string): Expr {
    const { offset } = this.#next();
    const id = this.#build.id();
    const fields: StructField[] = [];
    while (!this.#is('}')) {
      const optional = this.#take('?') !== undefined;
      const name = this.#peek();
      if (name.kind !== 'identifier') this.#mismatch("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}");
      this.#next();
      const colon = this.#take(':') ?? this.#mismatch("':'");
      fields.push({ id: this.#build.id(), offset: colon.offset, name: name.text, value: this.#expr(), optional });
      if (!this.#take(',')) break;
    }
    if (!this.#take('}')) this.#mismatch("{'}', ','}");
    return { kind: 'struct', id, offset, type, fields };
  }

  #list(offset: number): Expr {
    const id = this.#build.id();
    const elements: { value: Expr; optional: boolean }[] = [];
    while (!this.#is(']')) {
      const optional = this.#take('?') !== undefined;
      elements.push({ value: this.#expr(optional ? starts : starts.replace("'['", "'[', ']'").replace("'!'", "'!', '?'")), optional });
      if (!this.#take(',')) break;
    }
    if (!this.#take(']')) this.#mismatch("{']', ','}");
    return { kind: 'list', id, offset, elements };
  }

  #map(offset: number): Expr {
    const id = this.#build.id();
    const entries: MapEntry[] = [];
    while (!this.#is('}')) {
      const optional = this.#take('?') !== undefined;
      const key = this.#expr();
      const colon = this.#take(':') ?? this.#mismatch("':'");
      entries.push({ id: this.#build.id(), offset: colon.offset, key, value: this.#expr(), optional });
      if (!this.#take(',')) break;
    }
    if (!this.#take('}')) this.#mismatch("{'}', ','}");
    return { kind: 'map', id, offset, entries };
  }
}
