import { children, oid, read, readOid, readText, sequence, set, text } from './der.ts';

const commonName = '2.5.4.3';
const organization = '2.5.4.10';

export interface Subject {
  commonName: string;
  organizations: string[];
  /** Names of the attributes other than CN and O, by OID: signers that allow only these two look here. */
  others: string[];
}

/** A Name with organizations first and the common name last, each organization in one set, as Go writes it. */
export function writeName({ commonName: name, organizations }: Omit<Subject, 'others'>): Buffer {
  const attribute = (type: string, value: string): Buffer => sequence(oid(type), text(value));
  const byEncoding = (a: Buffer, b: Buffer): number => Buffer.compare(a, b);
  return sequence(
    ...(organizations.length > 0 ? [set(...organizations.map((item) => attribute(organization, item)).sort(byEncoding))] : []),
    ...(name ? [set(attribute(commonName, name))] : []),
  );
}

/** Reads a Name (with its header). */
export function readName(raw: Uint8Array): Subject {
  const subject: Subject = { commonName: '', organizations: [], others: [] };
  for (const relative of children(read(raw).content))
    for (const attribute of children(relative.content)) {
      const [type, value] = children(attribute.content);
      if (!type || !value) continue;
      const dotted = readOid(type.content);
      if (dotted === commonName) subject.commonName = readText(value);
      else if (dotted === organization) subject.organizations.push(readText(value));
      else subject.others.push(dotted);
    }
  return subject;
}
