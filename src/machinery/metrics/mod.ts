/** Metrics in Prometheus' text format that every process has. upstream: prometheus/client_golang process_collector.go. */

/** `startedAt`: milliseconds since 1970. */
export function processMetrics(startedAt: number): string {
  const { user, system } = process.cpuUsage();
  return [
    '# TYPE process_cpu_seconds_total counter',
    `process_cpu_seconds_total ${(user + system) / 1e6}`,
    '# TYPE process_resident_memory_bytes gauge',
    `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    '# TYPE process_start_time_seconds gauge',
    `process_start_time_seconds ${startedAt / 1000}`,
    '',
  ].join('\n');
}
