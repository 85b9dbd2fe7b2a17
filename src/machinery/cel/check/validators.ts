import { CelCompileError } from '../source.ts';
import type { Issue, Source } from '../source.ts';
import { formatIssue } from '../libraries/formatting.ts';
import { compilePattern } from '../libraries/regex.ts';
import type { CallExpr, Expr } from '../syntax/ast.ts';
import { formatType, sameType } from '../types.ts';
import type { CelType } from '../types.ts';
import { parseDuration, parseTimestamp } from '../values/time.ts';
import type { Checked } from './checker.ts';

/** Constants that are wrong are refused when they are read. upstream: cel-go cel/validator.go. */
export function validateLiterals(checked: Checked, source: Source): void {
  const issues: Issue[] = [];
  const walk = (expr: Expr, inFormat: boolean): void => {
    if (!inFormat) issues.push(...mixtures(expr, checked));
    if (expr.kind === 'call') {
      if (expr.fn === 'format') issues.push(...formatIssues(expr, checked));
      const call = checked.calls.get(expr.id);
      const arg = expr.args[0];
      if (call && arg?.kind === 'literal' && typeof arg.value === 'string' && wrong(call.fn, expr.args.length, arg.value))
        issues.push({ offset: arg.offset, message: `invalid ${call.fn} argument` });
    }
    for (const child of childrenOf(expr)) walk(child, inFormat || (expr.kind === 'call' && expr.fn === 'format'));
  };
  walk(checked.expr, false);
  if (issues.length) throw new CelCompileError(source, issues);
}

function wrong(fn: string, count: number, text: string): boolean {
  if (count !== 1) return false;
  if (fn === 'duration') return parseDuration(text) === undefined;
  if (fn === 'timestamp') return parseTimestamp(text) === undefined;
  return fn === 'matches' && typeof compilePattern(text) === 'string';
}

/** Items of a literal list or map that are of another type than the first. */
function mixtures(expr: Expr, checked: Checked): Issue[] {
  const issues: Issue[] = [];
  const compare = (items: readonly { value: Expr; optional: boolean }[], stop: boolean): void => {
    let first: CelType | undefined;
    for (const { value, optional } of items) {
      const own = checked.types.get(value.id)!;
      const type = optional ? (own.params[0] ?? own) : own;
      if (!first) first = type;
      else if (!sameType(first, type)) {
        issues.push({ offset: value.offset, message: `expected type '${formatType(first)}' but found '${formatType(type)}'` });
        if (stop) return;
      }
    }
  };
  if (expr.kind === 'list') compare(expr.elements, true);
  else if (expr.kind === 'map') {
    compare(
      expr.entries.map(({ key }) => ({ value: key, optional: false })),
      false,
    );
    compare(expr.entries, false);
  }
  return issues;
}

function formatIssues(expr: CallExpr, checked: Checked): Issue[] {
  const [args] = expr.args;
  if (expr.target?.kind !== 'literal' || typeof expr.target.value !== 'string' || args?.kind !== 'list') return [];
  const items = args.elements.map(({ value }) => value);
  const issue = formatIssue(
    expr.target.value,
    items.map((item) => checked.types.get(item.id)!),
  );
  return issue ? [{ offset: issue.index === undefined ? expr.offset : items[issue.index]!.offset, message: issue.message }] : [];
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
