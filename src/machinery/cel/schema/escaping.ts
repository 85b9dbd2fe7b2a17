/** Names of properties as CEL can spell them: a-b is a__dash__b. upstream: apiserver/pkg/cel/escaping.go. */

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);
const spelled: Record<string, string> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' };
const meant: Record<string, string> = { underscores: '__', dot: '.', dash: '-', slash: '/' };

/** Undefined where the name cannot be spelled. */
export function escapeName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(name)) return undefined;
  return name.replace(/__|[-./]/g, (piece) => spelled[piece]!);
}

/** Undefined where nothing is spelled so. */
export function unescapeName(escaped: string): string | undefined {
  let wrong = false;
  const name = escaped.replace(/__[^_]+__/g, (piece) => {
    const word = piece.slice(2, -2);
    if (Object.hasOwn(meant, word)) return meant[word]!;
    if (reserved.has(word) && piece === escaped) return word;
    wrong = true;
    return '';
  });
  return wrong ? undefined : name;
}
