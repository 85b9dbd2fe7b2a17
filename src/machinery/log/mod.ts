/**
 * Logging: a constant sentence and keys from one vocabulary (pod, node, controller, revision, …).
 * Components get a Log in their context; only the command line decides where lines go.
 */
export type LogKeys = Record<string, unknown>;

export interface Log {
  debug(message: string, keys?: LogKeys): void;
  info(message: string, keys?: LogKeys): void;
  warn(message: string, keys?: LogKeys): void;
  /** `keys.error`, where given, is the cause and is written with its stack. */
  error(message: string, keys?: LogKeys): void;
  /** The same log with keys added to every line. */
  with(keys: LogKeys): Log;
}

/** A log that says nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};

const levels = { debug: 10, info: 20, warn: 30, error: 40 } as const;

/** One JSON line an entry, through `write`; lines under `level` are dropped. `time` gives the milliseconds since 1970. */
export function jsonLog(write: (line: string) => void, level: keyof typeof levels, time: () => number, base: LogKeys = {}): Log {
  const line = (name: keyof typeof levels) => (message: string, keys?: LogKeys) => {
    if (levels[name] < levels[level]) return;
    const entry: LogKeys = { time: new Date(time()).toISOString(), level: name, message, ...base, ...keys };
    // A refusal of the API says all in its message; anything else needs its stack.
    const { error } = entry;
    if (error instanceof Error) entry['error'] = error.name === 'StatusError' ? error.message : (error.stack ?? String(error));
    write(`${JSON.stringify(entry)}\n`);
  };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (keys) => jsonLog(write, level, time, { ...base, ...keys }),
  };
}
