/** A request's fields, checked as they come. RFC 9113, section 8.2 and 8.3. */

const single = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'user-agent',
]);

const ofConnections = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

export class RequestHead {
  method = '';
  path = '';
  /** Names in lower case; several values are joined as Node's HTTP/1.1 joins them. */
  readonly headers: Record<string, string> = {};
  /** Why it is not a request. */
  malformed: string | undefined;
  /** More than the limit: the rest is left out. */
  tooLarge = false;
  #authority = '';
  #scheme = '';
  #size = 0;
  #regular = false;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(name: string, value: string): void {
    this.#size += name.length + value.length + 32;
    if (this.#size > this.#limit) {
      this.tooLarge = true;
      return;
    }
    if (name.charCodeAt(0) === 58) return this.#pseudo(name, value);
    this.#regular = true;
    if (name === '' || name !== name.toLowerCase() || ofConnections.has(name) || (name === 'te' && value !== 'trailers')) {
      this.malformed = `a field ${JSON.stringify(name)}`;
      return;
    }
    if (name === '__proto__') return;
    const before = Object.hasOwn(this.headers, name) ? this.headers[name] : undefined;
    if (before === undefined) this.headers[name] = value;
    else if (name === 'content-length' && before !== value) this.malformed = 'two lengths';
    else if (!single.has(name)) this.headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }

  /** All fields are there. */
  finish(): void {
    if (this.#authority !== '') this.headers['host'] ??= this.#authority;
    // CONNECT names no path; nothing here is a tunnel.
    if (!this.method || !this.#scheme || !this.path) this.malformed ??= 'fields of a request are missing';
    const length = this.headers['content-length'];
    if (length !== undefined && !/^\d{1,15}$/.test(length)) this.malformed ??= 'a length that is no number';
  }

  #pseudo(name: string, value: string): void {
    if (this.#regular) this.malformed = 'pseudo fields after others';
    if (name === ':path') {
      if (this.path) this.malformed = 'two paths';
      this.path = value;
      if (!value.startsWith('/') && value !== '*') this.malformed = 'a path without a slash';
    } else if (name === ':method') {
      if (this.method) this.malformed = 'two methods';
      this.method = value;
    } else if (name === ':authority') this.#authority = value;
    else if (name === ':scheme') {
      if (this.#scheme) this.malformed = 'two schemes';
      this.#scheme = value;
    } else this.malformed = `a field ${name}`;
  }
}
