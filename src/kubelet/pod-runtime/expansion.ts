/** $(NAME) is replaced by a variable's value, $$ by $; what is not known stays as written. upstream: third_party/forked/golang/expansion. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes('$')) return text;
  let result = '';
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    const next = text[index + 1];
    if (character !== '$' || next === undefined) result += character;
    else if (next === '$') {
      result += '$';
      index++;
    } else if (next === '(') {
      const end = text.indexOf(')', index + 2);
      if (end < 0) {
        result += '$(';
        index++;
      } else {
        const name = text.slice(index + 2, end);
        result += lookup(name) ?? `$(${name})`;
        index = end;
      }
    } else {
      result += `$${next}`;
      index++;
    }
  }
  return result;
}
