/** Links in HTML that came through a proxy lead through the proxy again. upstream: apimachinery/pkg/util/proxy/transport.go (tags and attributes). */

const attributes: Record<string, readonly string[]> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['formaction', 'src'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** A path of the target's own goes behind the proxy's; what leads elsewhere, or is relative, stays. */
export function rewriteUrl(url: string, prefix: string, origin: string): string {
  if (url.startsWith(`${origin}/`)) url = url.slice(origin.length);
  if (!url.startsWith('/') || url.startsWith('//') || url.startsWith(`${prefix}/`)) return url;
  return prefix + url;
}

/** `prefix`: the proxy's path without a trailing slash; `origin`: scheme, host and port of the target. */
export function rewriteHtml(html: string, prefix: string, origin: string): string {
  return html.replace(/<([a-zA-Z]+)(\s[^<>]*)>/g, (whole, tag: string, rest: string) => {
    const known = attributes[tag.toLowerCase()];
    if (!known) return whole;
    const changed = rest.replace(/([\w-]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/g, (pair, name: string, equals: string, value: string) => {
      if (!known.includes(name.toLowerCase())) return pair;
      const quote = /^["']/.exec(value)?.[0] ?? '';
      const bare = quote ? value.slice(1, -1) : value;
      return `${name}${equals}${quote}${rewriteUrl(bare, prefix, origin)}${quote}`;
    });
    return `<${tag}${changed}>`;
  });
}
