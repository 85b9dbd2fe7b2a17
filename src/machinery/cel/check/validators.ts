import { CelCompileError } from '../source.ts';
import type { Issue, Source } from '../source.ts';
import { compilePattern } from '../libraries/regex.ts';
import type { Expr } from '../syntax/ast.ts';
import { parseDuration, parseTimestamp } from '../values/time.ts';
import type { Checked } from './checker.ts';

/** Constants that are wrong are refused when they are read. upstream: cel-go cel/validator.go. */
export function validateLiterals(checked: Checked, source: Source): void {
  const issues: Issue[] = [];
  const walk = (expr: Expr): void => {
    if (expr.kind === 'call') {
      const call = checked.calls.get(expr.id);
      const arg = expr.args[0];
      if (call && arg?.kind === 'literal' && typeof arg.value === 'string' && wrong(call.fn, expr.args.length, arg.value))
        issues.push({ offset: arg.offset, message: `invalid ${call.fn} argument` });
    }
    for (const child of childrenOf(expr)) walk(child);
  };
  walk(checked.expr);
  if (issues.length) throw new CelCompileError(source, issues);
}

function wrong(fn: string, count: number, text: string): boolean {
  if (count !== 1) return false;
  if (fn === 'duration') return parseDuration(text) === undefined;
  if (fn === 'timestamp') return parseTimestamp(text) === undefined;
  return fn === 'matches' && typeof compilePattern(text) === 'string';
}

/** The expressions directly within one. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'literal':
    case 'ident':
      return [];
    case 'select':
      return [expr.operand];
    case 'call':
      return expr.target ? [expr.target, ...expr.args] : expr.args;
    case 'list':
      return expr.elements.map(({ value }) => value);
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value]);
    case 'struct':
      return expr.fields.map(({ value }) => value);
    case 'comprehension':
      return [expr.range, expr.init, expr.condition, expr.step, expr.result];
  }
}
