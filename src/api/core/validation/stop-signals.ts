/** Signals a container may be stopped with. upstream: supportedStopSignalsLinux. */
const named = new Set(
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
    .split(' ')
    .map((name) => `SIG${name}`),
);

export const windowsStopSignals: readonly string[] = ['SIGKILL', 'SIGTERM'];

export function isStopSignal(signal: string): boolean {
  if (named.has(signal)) return true;
  const realTime = /^SIG(RTMIN\+|RTMAX-)([1-9][0-9]?)$/.exec(signal);
  return realTime !== null && Number(realTime[2]) <= (realTime[1] === 'RTMIN+' ? 15 : 14);
}
