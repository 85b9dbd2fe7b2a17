/**
 * Reads values out of Go sources: what test tables are made of (composite literals, strings, numbers, calls), and no more of the language.
 */

export type Go = string | number | boolean | null | Composite | Call | Name;

export interface Composite {
  /** "[]mergeTestCase"; empty where Go lets it be left out. */
  type: string;
  entries: [key: Go | undefined, value: Go][];
}
export interface Call {
  call: string;
  parameters: Go[];
}
export interface Name {
  name: string;
}

/** Between tokens. */
const space = /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*/y;
const token = /`[^`]*`|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|[^\s]/y;

class Reader {
  readonly #text: string;
  #at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
  }

  peek(): string {
    const at = this.#at;
    const found = this.next();
    this.#at = at;
    return found;
  }

  next(): string {
    space.lastIndex = this.#at;
    this.#at += space.exec(this.#text)![0].length;
    token.lastIndex = this.#at;
    const [found] = token.exec(this.#text) ?? [''];
    this.#at += found.length;
    return found;
  }

  expect(wanted: string): void {
    const found = this.next();
    if (found !== wanted)
      throw new Error(
        `Cannot read the Go literal: ${wanted} is wanted at ${JSON.stringify(this.#text.slice(this.#at - 40, this.#at + 20))}`,
      );
    void found;
  }

  value(): Go {
    const first = this.peek();
    if (first === '&') {
      this.next();
      return this.value();
    }
    if (first === '{') return this.composite('');
    if (first === '[' || first === 'map') {
      const type = this.type();
      return this.peek() === '(' ? this.conversion() : this.composite(type);
    }
    this.next();
    if (first.startsWith('`')) return this.joined(first.slice(1, -1));
    if (first.startsWith('"')) return this.joined(JSON.parse(first) as string);
    if (/^-?\d/.test(first)) return Number(first);
    if (first === 'true' || first === 'false') return first === 'true';
    if (first === 'nil') return null;
    if (this.peek() === '{') return this.composite(first);
    if (this.peek() === '(') return { call: first, parameters: this.parameters() };
    return { name: first };
  }

  joined(text: string): string {
    if (this.peek() !== '+') return text;
    this.next();
    return text + String(this.value());
  }

  conversion(): Go {
    return this.parameters()[0] ?? null;
  }

  parameters(): Go[] {
    this.expect('(');
    const found: Go[] = [];
    while (this.peek() !== ')') {
      found.push(this.value());
      if (this.peek() === ',') this.next();
    }
    this.expect(')');
    return found;
  }

  composite(type: string): Composite {
    this.expect('{');
    const entries: Composite['entries'] = [];
    while (this.peek() !== '}') {
      const value = this.value();
      if (this.peek() === ':') {
        this.next();
        entries.push([value, this.value()]);
      } else entries.push([undefined, value]);
      if (this.peek() === ',') this.next();
    }
    this.expect('}');
    return { type, entries };
  }

  type(): string {
    const first = this.next();
    if (first === '*') return `*${this.type()}`;
    if (first === '[') {
      this.expect(']');
      return `[]${this.type()}`;
    }
    if (first === 'map') {
      this.expect('[');
      const key = this.type();
      this.expect(']');
      return `map[${key}]${this.type()}`;
    }
    if (first === 'interface') {
      this.expect('{');
      this.expect('}');
      return 'interface{}';
    }
    return first;
  }
}

/** The value that a Go source gives to a variable; the first time after the text `after`. */
export function goVariable(text: string, name: string, after = ''): Go {
  const start = text.indexOf(after);
  const given = new RegExp(`^(?:var )?\\s*${name} :?= `, 'gm');
  given.lastIndex = start;
  const found = start < 0 ? null : given.exec(text);
  if (!found) throw new Error(`Cannot find ${name} in the Go source`);
  return new Reader(text, found.index + found[0].length).value();
}

/** The value with variables put in, texts formatted and conversions of types done. */
export function evaluated(value: Go, variables: Readonly<Record<string, Go>>): Go {
  if (typeof value !== 'object' || value === null) return value;
  if ('name' in value) return variables[value.name] ?? value;
  if ('entries' in value) return { type: value.type, entries: value.entries.map(([key, item]) => [key, evaluated(item, variables)]) };
  const [first = null, ...rest] = value.parameters.map((item) => evaluated(item, variables));
  if (value.call === 'typed.YAMLObject' || value.call === 'float64') return first;
  if (value.call === 'fmt.Sprintf') return String(first).replaceAll('%s', () => String(rest.shift()));
  return { call: value.call, parameters: value.parameters.length > 0 ? [first, ...rest] : [] };
}

const isComposite = (value: Go | undefined): value is Composite => typeof value === 'object' && value !== null && 'entries' in value;

/** The elements of a slice. */
export const itemsOf = (value: Go | undefined): Go[] => (isComposite(value) ? value.entries.map(([, item]) => item) : []);

/** A struct's field: by its name, or by its place where the literal names none. */
export function fieldOf(value: Go | undefined, name: string, place = -1): Go | undefined {
  if (!isComposite(value)) return undefined;
  const found = value.entries.find(([key]) => typeof key === 'object' && key !== null && 'name' in key && key.name === name);
  return found ? found[1] : value.entries[place]?.[0] === undefined ? value.entries[place]?.[1] : undefined;
}
