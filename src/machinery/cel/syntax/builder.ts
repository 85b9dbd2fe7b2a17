import type { CallExpr, ComprehensionExpr, Expr, IdentExpr, ListExpr, Literal, LiteralExpr, MapExpr } from './ast.ts';
import { accumulatorName } from './ast.ts';

/** Makes nodes with ids of their own. */
export class Builder {
  #id = 0;

  id(): number {
    return ++this.#id;
  }

  literal(value: Literal, offset: number): LiteralExpr {
    return { kind: 'literal', id: this.id(), offset, value };
  }

  ident(name: string, offset: number): IdentExpr {
    return { kind: 'ident', id: this.id(), offset, name };
  }

  call(fn: string, args: readonly Expr[], offset: number, target?: Expr): CallExpr {
    return { kind: 'call', id: this.id(), offset, fn, target, args };
  }

  list(elements: readonly Expr[], offset: number): ListExpr {
    return { kind: 'list', id: this.id(), offset, elements: elements.map((value) => ({ value, optional: false })) };
  }

  emptyMap(offset: number): MapExpr {
    return { kind: 'map', id: this.id(), offset, entries: [] };
  }

  comprehension(parts: Omit<ComprehensionExpr, 'kind' | 'id'>): ComprehensionExpr {
    return { kind: 'comprehension', id: this.id(), ...parts };
  }

  /** The same expression with ids of its own, for macros that use an argument twice. */
  copy(expr: Expr): Expr {
    const id = this.id();
    switch (expr.kind) {
      case 'literal':
      case 'ident':
        return { ...expr, id };
      case 'select':
        return { ...expr, id, operand: this.copy(expr.operand) };
      case 'call':
        return { ...expr, id, target: expr.target && this.copy(expr.target), args: expr.args.map((arg) => this.copy(arg)) };
      case 'list':
        return { ...expr, id, elements: expr.elements.map(({ value, optional }) => ({ value: this.copy(value), optional })) };
      case 'map':
        return {
          ...expr,
          id,
          entries: expr.entries.map((entry) => ({ ...entry, id: this.id(), key: this.copy(entry.key), value: this.copy(entry.value) })),
        };
      case 'struct':
        return { ...expr, id, fields: expr.fields.map((field) => ({ ...field, id: this.id(), value: this.copy(field.value) })) };
      case 'comprehension':
        return {
          ...expr,
          id,
          range: this.copy(expr.range),
          init: this.copy(expr.init),
          condition: this.copy(expr.condition),
          step: this.copy(expr.step),
          result: this.copy(expr.result),
        };
    }
  }

  accumulator(offset: number): IdentExpr {
    return this.ident(accumulatorName, offset);
  }
}
