/** The JSONPath of printer columns, selectable fields and scale: fields, indexes, wildcards, filters. upstream: client-go/util/jsonpath. */

type Step = (values: unknown[]) => unknown[];

const field =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
        ? [(value as Record<string, unknown>)[name]]
        : [],
    );
const every: Step = (values) =>
  values.flatMap((value) => (typeof value === 'object' && value !== null ? (Object.values(value) as unknown[]) : []));
const descend: Step = (values) => values.flatMap((value) => [value, ...descend(every([value]))]);
const slice =
  (text: string): Step =>
  (values) => {
    const [start = '', end = '', step = ''] = text.split(':');
    const single = !text.includes(':');
    return values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const at = (number: string, otherwise: number): number => {
        if (number === '') return otherwise;
        const index = Number(number);
        return index < 0 ? index + value.length : index;
      };
      if (single) return value.slice(at(text, 0), at(text, 0) + 1) as unknown[];
      const by = Math.max(1, Number(step) || 1);
      return (value.slice(at(start, 0), at(end, value.length)) as unknown[]).filter((_, index) => index % by === 0);
    });
  };

const operators: Record<string, (a: unknown, b: unknown) => boolean> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => typeof a === typeof b && (a as number) < (b as number),
  '<=': (a, b) => typeof a === typeof b && (a as number) <= (b as number),
  '>': (a, b) => typeof a === typeof b && (a as number) > (b as number),
  '>=': (a, b) => typeof a === typeof b && (a as number) >= (b as number),
};

/** `@.type=="Ready"`, or `@.name` alone: it is there. */
function filter(text: string): Step {
  const parts = /^(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$/.exec(text);
  const operand = (source: string): ((value: unknown) => unknown) => {
    const trimmed = source.trim();
    if (trimmed.startsWith('@')) {
      const path = jsonPath(trimmed.slice(1));
      return (value) => path(value)[0];
    }
    const quoted = /^(['"])(.*)\1$/.exec(trimmed);
    const literal: unknown = quoted ? quoted[2] : trimmed === 'true' ? true : trimmed === 'false' ? false : Number(trimmed);
    return () => literal;
  };
  if (!parts) {
    const path = operand(text);
    return (values) => every(values).filter((value) => path(value) !== undefined);
  }
  const left = operand(parts[1]!);
  const right = operand(parts[3]!);
  const compare = operators[parts[2]!]!;
  return (values) => every(values).filter((value) => compare(left(value), right(value)));
}

/** Where the bracket that opens at `start` closes. */
function closing(text: string, start: number): number {
  let depth = 0;
  let quote = '';
  for (let index = start; index < text.length; index++) {
    const char = text[index]!;
    if (quote) {
      if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '[') depth++;
    else if (char === ']' && --depth === 0) return index;
  }
  return -1;
}

/** Compiles a path (".spec.replicas"); the answer finds all values it leads to. Throws where it cannot be read. */
export function jsonPath(text: string): (value: unknown) => unknown[] {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === '[') {
      const end = closing(text, at);
      if (end < 0) throw new Error('unterminated array');
      const inner = text.slice(at + 1, end).trim();
      at = end + 1;
      const names = /^\s*(['"])(?:.*)\1\s*$/.test(inner);
      if (inner === '*') steps.push(every);
      else if (inner.startsWith('?(') && inner.endsWith(')')) steps.push(filter(inner.slice(2, -1)));
      else if (names) {
        const list = inner.split(/(?<=['"])\s*,\s*(?=['"])/).map((name) => name.slice(1, -1).replace(/\\(.)/g, '$1'));
        steps.push((values) => list.flatMap((name) => field(name)(values)));
      } else if (/^-?\d+$/.test(inner) || /^-?\d*:-?\d*(:-?\d*)?$/.test(inner)) steps.push(slice(inner));
      else if (/^-?\d+(,\s*-?\d+)*$/.test(inner)) {
        const list = inner.split(',').map((index) => slice(index.trim()));
        steps.push((values) => list.flatMap((step) => step(values)));
      } else throw new Error(`invalid array index ${inner}`);
      continue;
    }
    if (text.startsWith('..', at)) {
      steps.push(descend);
      at += text[at + 2] === '[' ? 2 : 1;
      continue;
    }
    if (text[at] === '.') at++;
    const name = /^(?:\\.|[^.[\\])*/.exec(text.slice(at))![0];
    at += name.length;
    if (name === '*') steps.push(every);
    else if (name !== '') steps.push(field(name.replace(/\\(.)/g, '$1')));
    else if (at < text.length && text[at] !== '[' && text[at] !== '.') throw new Error(`unrecognized character in action: ${text[at]}`);
  }
  return (value) => {
    let values = [value];
    for (const step of steps) values = step(values);
    return values;
  };
}
