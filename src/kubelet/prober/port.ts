import type { Container, IntOrString } from '#api';

/** The number of a port given by number or by the name of one of the container's ports. Throws with upstream's text. */
export function resolvePort(port: IntOrString | undefined, container: Container | undefined): number {
  const text = String(port ?? '');
  const number =
    typeof port === 'number' || /^\d+$/.test(text) ? Number(port) : container?.ports?.find(({ name }) => name === text)?.containerPort;
  if (number === undefined) throw new Error(`couldn't find port: ${JSON.stringify(text)} in container`);
  if (number <= 0 || number > 65_535) throw new Error(`invalid port number: ${number}`);
  return number;
}
