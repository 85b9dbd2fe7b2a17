/** Renders CRI's messages as TypeScript types and as the table that the protobuf codec reads. */
import type { ProtoFile } from './proto.ts';

const camel = (name: string): string => name.replace(/_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
const tsScalar: Record<string, string> = {
  string: 'string',
  bool: 'boolean',
  bytes: 'Uint8Array',
  int32: 'number',
  uint32: 'number',
  int64: 'number',
  uint64: 'number',
  double: 'number',
  float: 'number',
};

export function renderCri(file: ProtoFile, head: string): { types: string; table: string } {
  const local = (type: string): string => type.slice(file.package.length + 1);
  const tsName = (name: string): string => name.replaceAll('.', '_');
  let types = `${head}\n/* CRI v1: every field is optional on the wire; what is absent has its zero value. */\n`;
  for (const [name, values] of file.enums)
    types += `\nexport type ${tsName(name)} = ${Object.keys(values)
      .map((value) => `'${value}'`)
      .join(' | ')};\n`;
  const table: { messages: Record<string, unknown>; enums: Record<string, unknown>; services: Record<string, unknown> } = {
    messages: {},
    enums: {},
    services: {},
  };
  for (const [name, fields] of file.messages) {
    types += `\nexport interface ${tsName(name)} {\n`;
    const facts: Record<string, unknown> = {};
    for (const field of fields) {
      const scalar = tsScalar[field.type];
      const own = local(field.type);
      let type = scalar ?? tsName(own);
      if (field.mapKey) type = `Record<string, ${type}>`;
      else if (field.repeated) type = `${type}[]`;
      types += `  ${camel(field.name)}?: ${type};\n`;
      facts[camel(field.name)] = {
        number: field.number,
        type: scalar ? field.type : own,
        ...(field.repeated && { repeated: true }),
        ...(field.mapKey && { map: field.mapKey }),
        ...(field.oneof && { oneof: camel(field.oneof) }),
        ...(!scalar && file.enums.has(own) && { enum: true }),
      };
    }
    types += '}\n';
    table.messages[name] = facts;
  }
  for (const [name, values] of file.enums) table.enums[name] = values;
  for (const [service, methods] of file.services) {
    types += `\nexport interface ${service} {\n`;
    const facts: Record<string, unknown> = {};
    for (const [method, [request, response, stream]] of Object.entries(methods)) {
      const lower = method[0]!.toLowerCase() + method.slice(1);
      types += `  ${lower}(request: ${tsName(request)}, options?: { signal?: AbortSignal }): ${stream ? `AsyncIterable<${tsName(response)}>` : `Promise<${tsName(response)}>`};\n`;
      facts[lower] = { path: `/${file.package}.${service}/${method}`, request, response, ...(stream && { stream: true }) };
    }
    types += '}\n';
    table.services[service] = facts;
  }
  return { types, table: JSON.stringify(table, null, 1) + '\n' };
}
