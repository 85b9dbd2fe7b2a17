/** Reads Protocol Buffers descriptions (proto2 and proto3) into plain tables: messages, their fields and numbers, enums, services. */

export interface ProtoField {
  name: string;
  number: number;
  /** A scalar ('string', 'int64', …) or the full name of a message or enum. */
  type: string;
  repeated?: boolean;
  /** The key's scalar type, where the field is a map; `type` is then the value's. */
  mapKey?: string;
  oneof?: string;
}
export interface ProtoFile {
  package: string;
  messages: Map<string, ProtoField[]>;
  enums: Map<string, Record<string, number>>;
  /** Service name → method name → [request, response, server streams]. */
  services: Map<string, Record<string, [string, string, boolean]>>;
}

const scalars = new Set(
  'double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool string bytes'.split(' '),
);

/** Parses one .proto text. Type names are resolved against the file's own messages; others are taken as full names. */
export function parseProto(text: string): ProtoFile {
  const tokens =
    text
      .replace(/\/\*[\s\S]*?\*\//g, ' ')
      .replace(/\/\/[^\n]*/g, ' ')
      .match(/"(?:[^"\\]|\\.)*"|[A-Za-z0-9_.+-]+|[{}[\]<>=;,()]/g) ?? [];
  let at = 0;
  const next = (): string => tokens[at++] ?? '';
  const skipTo = (end: string): void => {
    while (at < tokens.length && next() !== end);
  };
  const skipBlock = (): void => {
    for (let depth = 1; depth > 0 && at < tokens.length;) {
      const token = next();
      if (token === '{') depth++;
      else if (token === '}') depth--;
    }
  };
  const file: ProtoFile = { package: '', messages: new Map(), enums: new Map(), services: new Map() };
  const skipOptions = (): void => {
    if (tokens[at] === '[') skipTo(']');
  };

  function enumBlock(name: string): void {
    next();
    const values: Record<string, number> = {};
    for (let token = next(); token !== '}'; token = next()) {
      if (token === 'option' || token === 'reserved') {
        skipTo(';');
        continue;
      }
      next();
      values[token] = Number(next());
      skipOptions();
      next();
    }
    file.enums.set(name, values);
  }

  function messageBlock(name: string): void {
    next();
    const fields: ProtoField[] = [];
    const body = (oneof?: string): void => {
      for (let token = next(); token !== '}'; token = next()) {
        if (token === ';') continue;
        if (token === 'option' || token === 'reserved' || token === 'extensions') skipTo(';');
        else if (token === 'message') messageBlock(`${name}.${next()}`);
        else if (token === 'enum') enumBlock(`${name}.${next()}`);
        else if (token === 'oneof') {
          const group = next();
          next();
          body(group);
        } else {
          const field: ProtoField = { name: '', number: 0, type: token };
          if (token === 'repeated' || token === 'optional' || token === 'required') {
            if (token === 'repeated') field.repeated = true;
            field.type = next();
          }
          if (field.type === 'map') {
            next();
            field.mapKey = next();
            next();
            field.type = next();
            next();
          }
          field.name = next();
          next();
          field.number = Number(next());
          skipOptions();
          next();
          if (oneof) field.oneof = oneof;
          fields.push(field);
        }
      }
    };
    body();
    file.messages.set(name, fields);
  }

  while (at < tokens.length) {
    const token = next();
    if (token === 'package') file.package = next();
    else if (token === 'message') messageBlock(next());
    else if (token === 'enum') enumBlock(next());
    else if (token === 'service') {
      const service: Record<string, [string, string, boolean]> = {};
      file.services.set(next(), service);
      next();
      for (let inner = next(); inner !== '}'; inner = next()) {
        if (inner !== 'rpc') continue;
        const method = next();
        next();
        const take = (): [string, boolean] => {
          const first = next();
          return first === 'stream' ? [next(), true] : [first, false];
        };
        const [request] = take();
        next();
        next();
        next();
        const [response, stream] = take();
        next();
        service[method] = [request, response, stream];
        if (tokens[at] === '{') {
          next();
          skipBlock();
        }
      }
    } else skipTo(';');
  }

  // Resolve names: innermost scope first, as protoc does.
  for (const [name, fields] of file.messages) {
    for (const field of fields) {
      if (scalars.has(field.type)) continue;
      const plain = field.type.replace(/^\./, '');
      const scopes = name.split('.');
      let resolved = '';
      for (let depth = scopes.length; depth >= 0 && !resolved; depth--) {
        const candidate = [...scopes.slice(0, depth), plain].join('.');
        if (file.messages.has(candidate) || file.enums.has(candidate)) resolved = `${file.package}.${candidate}`;
      }
      field.type = resolved || plain;
    }
  }
  return file;
}
