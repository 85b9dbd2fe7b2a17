import { readFileSync } from 'node:fs';
import { print } from './output.ts';

export async function showVersion(_parameters: string[], options: Record<string, string | boolean | undefined>): Promise<void> {
  const version =
    process.env['COXSWAIN_VERSION'] ??
    (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
  const facts = { coxswain: version, kubernetes: 'v1.35.4', node: process.version };
  await print(facts, options['output'], () => `coxswain ${version} (Kubernetes ${facts.kubernetes}, Node ${facts.node})\n`);
}
