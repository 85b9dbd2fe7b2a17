/** What --help prints of a table of flags. */
import type { FlagTable } from './table.ts';

const shown: Record<string, string> = { bool: '', stringArray: ' string', switches: ' mapStringBool', map: ' mapStringString' };

export function helpText(component: string, about: string, table: FlagTable): string {
  const rows = Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1));
  const supported = rows
    .filter(([, [, , does]]) => does !== 'warn' && does !== 'refuse')
    .map(([name, [type, fallback, does]]) => {
      const left = `${name === 'v' ? '  -v, ' : '      '}--${name}${shown[type] ?? ` ${type}`}`;
      const standard = fallback === '' || (type === 'bool' && fallback === 'false') ? '' : ` (default ${fallback})`;
      return `${left}\n            ${does}${standard}\n`;
    });
  const names = (what: string): string =>
    rows
      .filter(([, [, , does]]) => does === what)
      .map(([name]) => `  --${name}`)
      .join('\n');
  const section = (title: string, text: string): string => (text ? `\n${title}\n${text}\n` : '');
  return `${about}

Usage:
  ${component} [flags]

Flags:
${supported.join('')}  -h, --help
            print this
      --version
            print the version and end
${section('Known, without effect (a warning says so):', names('warn'))}${section('Refused, since without them the cluster would be less safe than it says:', names('refuse'))}`;
}
