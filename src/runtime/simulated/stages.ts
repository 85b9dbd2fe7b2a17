/**
 * How a simulated container behaves: read from its pod's annotations, else from what its command plainly says.
 * `coxswain.dev/simulate.<container>` or `coxswain.dev/simulate`: "exit 1 after 5s", "exit 0", "run", "fail to start".
 */
import type { ContainerConfig, PodSandboxConfig } from '../contract.ts';

export interface Behaviour {
  /** The exit code, or undefined to run until stopped. */
  exitCode?: number;
  /** Milliseconds of running before the exit. */
  after: number;
  /** Starting fails with this message. */
  startError?: string;
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export function behaviourOf(pod: PodSandboxConfig | undefined, container: ContainerConfig): Behaviour {
  const annotations = pod?.annotations ?? {};
  const script = annotations[`coxswain.dev/simulate.${container.metadata?.name ?? ''}`] ?? annotations['coxswain.dev/simulate'];
  if (script !== undefined) {
    if (script.startsWith('fail to start')) return { after: 0, startError: 'simulated start failure' };
    const match = /^exit\s+(\d+)(?:\s+after\s+(\d+(?:\.\d+)?)(ms|s|m|h))?$/.exec(script.trim());
    if (match) return { exitCode: Number(match[1]), after: match[2] ? Number(match[2]) * units[match[3]!]! : 0 };
    return { after: 0 };
  }
  const words = [...(container.command ?? []), ...(container.args ?? [])].map((word) => word.replace(/^.*\//, ''));
  const line = words[0] === 'sh' && words[1] === '-c' ? (words[2] ?? '').trim().split(/\s+/) : words;
  if (line[0] === 'true' || (line[0] === 'exit' && line[1] === '0') || line[0] === 'echo') return { exitCode: 0, after: 0 };
  if (line[0] === 'false') return { exitCode: 1, after: 0 };
  if (line[0] === 'exit' && line.length === 2) return { exitCode: Number(line[1]) || 0, after: 0 };
  if (line[0] === 'sleep' && line.length === 2 && /^\d+(\.\d+)?$/.test(line[1]!)) return { exitCode: 0, after: Number(line[1]) * 1000 };
  return { after: 0 };
}
