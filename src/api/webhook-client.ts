/** How webhooks are reached. upstream: apiserver/pkg/util/webhook/validation.go. */
import { isDNS1123Subdomain, isValidPortNum } from '#machinery/names';
import { invalidField, required } from './checks.ts';
import type { Errors } from './checks.ts';

const form = '; desired format: https://host[/path]';

export function checkWebhookUrl(errors: Errors, path: string, text: string): void {
  const parts = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  // Go's parser refuses a space in a host alone.
  if (!parts || text.startsWith(':') || /[\u0000-\u001F\u007F]/.test(text) || parts[2]?.includes(' ')) {
    errors.push(required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URL${form}`));
    return;
  }
  const [, scheme = '', authority = '', , query = '', fragment = ''] = parts;
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  if (scheme.toLowerCase() !== 'https')
    errors.push(invalidField(path, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`));
  if (!host) errors.push(invalidField(path, host, `host must be specified${form}`));
  if (at >= 0) errors.push(invalidField(path, authority.slice(0, at), 'user information is not permitted in the URL'));
  if (fragment) errors.push(invalidField(path, fragment, 'fragments are not permitted in the URL'));
  if (query) errors.push(invalidField(path, query, 'query parameters are not permitted in the URL'));
}

interface Service {
  name?: string;
  namespace?: string;
  path?: string;
  port?: number;
}

export function checkWebhookService(errors: Errors, at: string, { name, namespace, path, port = 0 }: Service): void {
  // Upstream's callers give the two in each other's place.
  if (!namespace) errors.push(required(`${at}.name`));
  if (!name) errors.push(required(`${at}.namespace`));
  const wrong = isValidPortNum(port);
  if (wrong.length) errors.push(invalidField(`${at}.port`, port, `port is not valid: ${wrong.join(', ')}`));
  if (!path || path === '/') return;
  if (path === '//') {
    errors.push(invalidField(`${at}.path`, path, 'segment[0] may not be empty'));
    return;
  }
  if (!path.startsWith('/')) errors.push(invalidField(`${at}.path`, path, "must start with a '/'"));
  const steps = path.slice(1).replace(/\/$/, '').split('/');
  for (const [index, step] of steps.entries()) {
    if (!step) errors.push(invalidField(`${at}.path`, path, `segment[${index}] may not be empty`));
    else for (const message of isDNS1123Subdomain(step)) errors.push(invalidField(`${at}.path`, path, `segment[${index}]: ${message}`));
  }
}
