/** Fields that a JSON text names twice; JSON.parse keeps the last and says nothing. upstream: sigs.k8s.io/json strict mode. */

/** Paths of duplicate fields ("spec.replicas", "spec.containers[0].name"). `parsed` is what JSON.parse made of `text`. */
export function duplicateFields(text: string, parsed: unknown): string[] {
  // As many colons outside of strings as fields that were kept: none was lost.
  if (colons(text) === fields(parsed)) return [];
  return [...new Set(occurrences(text).flatMap(({ path, again }) => (again ? [path] : [])))];
}

/** Sorts complaints about fields by where they stand in the text, as a decoder that reads it once would make them. */
export function inTextOrder(text: string, complaints: readonly { path: string; duplicate: boolean; text: string }[]): string[] {
  const all = occurrences(text);
  const place = (path: string, duplicate: boolean): number => all.findIndex((entry) => entry.path === path && entry.again === duplicate);
  return [...complaints].sort((a, b) => place(a.path, a.duplicate) - place(b.path, b.duplicate)).map((complaint) => complaint.text);
}

function colons(text: string): number {
  return text.includes('\\') ? escapedColons(text) : plainColons(text);
}

/** Where no quote is escaped, strings end at the next one. */
function plainColons(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const end = quote < 0 ? text.length : quote;
    for (; at < end; at++) if (text.charCodeAt(at) === 58) count++;
    if (quote < 0) break;
    const closing = text.indexOf('"', quote + 1);
    if (closing < 0) break;
    at = closing + 1;
  }
  return count;
}

function escapedColons(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 58) count++;
    else if (code === 34) {
      for (at++; at < text.length; at++) {
        const inner = text.charCodeAt(at);
        if (inner === 92) at++;
        else if (inner === 34) break;
      }
    }
  }
  return count;
}

function fields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += fields(item);
  else for (const key in value) count += 1 + fields((value as Record<string, unknown>)[key]);
  return count;
}

interface Level {
  path: string;
  /** Undefined for a list. */
  seen: Set<string> | undefined;
  index: number;
  key: string;
  expectsKey: boolean;
}

/** Every field of the text, in order; `again` where its object had it before. */
function occurrences(text: string): { path: string; again: boolean }[] {
  const found: { path: string; again: boolean }[] = [];
  const stack: Level[] = [];
  const strings = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  const child = (): string => {
    const top = stack.at(-1);
    if (!top) return '';
    if (!top.seen) return `${top.path}[${top.index}]`;
    return top.path ? `${top.path}.${top.key}` : top.key;
  };
  for (let match = strings.exec(text); match; match = strings.exec(text)) {
    const [token] = match;
    const top = stack.at(-1);
    if (token === '{') stack.push({ path: child(), seen: new Set(), index: 0, key: '', expectsKey: true });
    else if (token === '[') stack.push({ path: child(), seen: undefined, index: 0, key: '', expectsKey: false });
    else if (token === '}' || token === ']') stack.pop();
    else if (token === ',') {
      if (top?.seen) top.expectsKey = true;
      else if (top) top.index++;
    } else if (token !== ':' && top?.seen && top.expectsKey) {
      top.expectsKey = false;
      top.key = JSON.parse(token) as string;
      found.push({ path: child(), again: top.seen.has(top.key) });
      top.seen.add(top.key);
    }
  }
  return found;
}
