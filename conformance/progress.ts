/** How far a run is, and how long it will take, judged by the seconds that upstream's own components took for the same tests. */

export interface Progress {
  done(passed: number, failed: number): void;
  stop(): void;
}

const span = (seconds: number): string => (seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);

/** Seconds still to go: by upstream's times at first, more and more by the pace so far. */
export function remaining(upstream: readonly number[], procs: number, done: number, elapsed: number): number {
  const total = upstream.length;
  if (done >= total) return 0;
  const longest = Math.max(0, ...upstream);
  // Tests side by side fill the processes, but for the end, when the last long ones run alone.
  const expected = upstream.reduce((sum, seconds) => sum + seconds, 0) / procs + longest / 2;
  const share = done / total;
  const byPace = done === 0 ? expected : elapsed / share;
  return Math.max(1, share * byPace + (1 - share) * expected - elapsed);
}

/** Says something at every failure, and once a minute. */
export function progress(upstream: readonly number[], procs: number, say: (line: string) => void): Progress {
  const started = performance.now();
  let [passed, failed] = [0, 0];
  const tell = (what: string): void => {
    const elapsed = (performance.now() - started) / 1000;
    const left = upstream.length ? `of ${upstream.length}, about ${span(remaining(upstream, procs, passed + failed, elapsed))} to go` : '';
    say(`  ${what}${passed} passed, ${failed} failed ${left} (${span(elapsed)})`);
  };
  if (upstream.length) tell('');
  const timer = setInterval(() => tell(''), 60_000);
  timer.unref();
  return {
    done(more, lost) {
      passed += more;
      failed += lost;
      if (lost) tell('a test failed: ');
    },
    stop: () => clearInterval(timer),
  };
}
