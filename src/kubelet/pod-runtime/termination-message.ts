/** A container's last words, from its file or the end of its log. upstream: kuberuntime_container.go getTerminationMessage. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { RuntimeContainer } from './runtime-pod.ts';

const messageLimit = 4096;
const logLimit = 2048;
const logLines = 80;

async function tail(file: string, limit: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, limit);
    const buffer = Buffer.alloc(length);
    await handle.read(buffer, 0, length, size - length);
    return buffer.toString('utf8');
  } finally {
    await handle.close();
  }
}

/** The text of CRI log lines ("time stream tag text"), partial ones joined. */
export function logText(raw: string): string {
  let text = '';
  for (const line of raw.split('\n')) {
    const match = /^\S+ (?:stdout|stderr) (\S+) ?(.*)$/.exec(line);
    if (!match) continue;
    text += match[2]!;
    if (!match[1]!.startsWith('P')) text += '\n';
  }
  return text;
}

/** Adds the message to a container that has ended. */
export async function withTerminationMessage(container: RuntimeContainer): Promise<RuntimeContainer> {
  if (container.state !== 'exited') return container;
  let fromLog =
    container.terminationMessagePolicy === 'FallbackToLogsOnError' && container.exitCode !== 0 && container.reason !== 'ContainerCannotRun';
  let text = '';
  if (container.terminationMessagePath) {
    const wanted = path.isAbsolute(container.terminationMessagePath)
      ? container.terminationMessagePath
      : `/${container.terminationMessagePath}`;
    const file = container.mounts.find(({ containerPath }) => containerPath === wanted)?.hostPath;
    if (file)
      try {
        text = await tail(file, messageLimit);
        fromLog &&= text === '';
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
          text = `Error on reading termination log ${file}: ${(error as Error).message}`;
          fromLog = false;
        }
      }
  }
  if (fromLog && container.logPath)
    try {
      // Log lines carry a time, so more is read than is kept.
      const lines = logText(await tail(container.logPath, 64 * 1024)).split('\n');
      text = Buffer.from(lines.slice(-logLines - 1).join('\n'))
        .subarray(-logLimit)
        .toString('utf8');
    } catch (error) {
      text = `Error on reading termination message from logs: ${(error as Error).message}`;
    }
  if (!text) return container;
  return { ...container, message: container.message ? `${container.message}: ${text}` : text };
}
