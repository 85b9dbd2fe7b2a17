/**
 * `node scripts/generate/etcd.ts`: writes src/store/etcd/rpc.json, the messages and methods of etcd's API that we speak, from the .proto
 * files of the Go module go.etcd.io/etcd/api. Only facts are taken: names, numbers, types.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseProto } from './proto.ts';

const version = 'v3.6.6';
const cache = process.env['GOMODCACHE'] ?? execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
const read = (path: string): string => readFileSync(join(cache, `go.etcd.io/etcd/api/v3@${version}`, path), 'utf8');
const text = read('etcdserverpb/rpc.proto');
const rpc = parseProto(text);
const kv = parseProto(read('mvccpb/kv.proto'));

const services = ['KV', 'Watch', 'Lease', 'Cluster', 'Maintenance'];
const single = { Auth: ['AuthStatus', 'Authenticate', 'UserList', 'RoleList'] } as Record<string, string[]>;
const short = (name: string): string => name.replace(/^(?:etcdserverpb|mvccpb)\./, '');
const camel = (name: string): string => name.replace(/_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
const all = new Map([...rpc.messages, ...kv.messages]);
const enums = new Map([...rpc.enums, ...kv.enums]);

interface Method {
  path: string;
  request: string;
  response: string;
  requestStream: boolean;
  responseStream: boolean;
}
const table = {
  messages: {} as Record<string, Record<string, object>>,
  enums: {} as Record<string, Record<string, number>>,
  services: {} as Record<string, Record<string, Method>>,
};
const want = (name: string): void => {
  if (name in table.messages || name in table.enums) return;
  const values = enums.get(name);
  if (values) {
    table.enums[name] = values;
    return;
  }
  const fields = all.get(name);
  if (!fields) return;
  table.messages[name] = {};
  for (const field of fields) {
    const type = short(field.type);
    want(type);
    table.messages[name][camel(field.name)] = {
      number: field.number,
      type,
      ...(field.repeated && { repeated: true }),
      ...(field.mapKey && { map: field.mapKey }),
      ...(field.oneof && { oneof: camel(field.oneof) }),
      ...(enums.has(type) && { enum: true }),
      // Of leases: whoever lets etcd choose gets 63 bits.
      ...(type === 'int64' && ['ID', 'lease'].includes(field.name) && { long: true }),
    };
  }
};
for (const [service, methods] of rpc.services) {
  const wanted = services.includes(service) ? Object.keys(methods) : (single[service] ?? []);
  if (wanted.length === 0) continue;
  table.services[service] = {};
  for (const method of wanted) {
    const [request, response, responseStream] = methods[method]!;
    table.services[service][method] = {
      path: `/${rpc.package}.${service}/${method}`,
      request: short(request),
      response: short(response),
      requestStream: new RegExp(`rpc ${method}\\(stream `).test(text),
      responseStream,
    };
    want(short(request));
    want(short(response));
  }
}
writeFileSync(new URL('../../src/store/etcd/rpc.json', import.meta.url), `${JSON.stringify(table, null, 1)}\n`);
