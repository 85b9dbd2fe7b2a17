/** What is written down of requests, from --audit-*. upstream: apiserver/pkg/server/options/audit.go. */
import {
  auditPolicy,
  Auditor,
  batchBackend,
  ConfiguredWebhook,
  logBackend,
  logBatches,
  RotatingFile,
  truncatingBackend,
  webhookBackend,
  webhookBatches,
} from '#apiserver';
import type { AuditBackend, BatchOptions, LineSink } from '#apiserver';
import { kubeconfigOptions } from '#client/kubeconfig';
import type { Context } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import type { FlagValues } from '../flags/table.ts';
import { readDocument } from './configuration-file.ts';
import type { kubeApiserverFlags } from './kube-apiserver-flags.ts';

type Values = FlagValues<typeof kubeApiserverFlags>;

const modes = ['batch', 'blocking', 'blocking-strict'];
const day = 24 * 3600_000;
const mebibyte = 1024 * 1024;

function batchOptions(values: Values, plugin: 'log' | 'webhook'): BatchOptions {
  const throttled = values[`audit-${plugin}-batch-throttle-enable`];
  return {
    bufferSize: values[`audit-${plugin}-batch-buffer-size`],
    maxBatchSize: values[`audit-${plugin}-batch-max-size`],
    maxBatchWait: values[`audit-${plugin}-batch-max-wait`],
    ...(throttled && {
      throttle: { perSecond: values[`audit-${plugin}-batch-throttle-qps`], burst: values[`audit-${plugin}-batch-throttle-burst`] },
    }),
    concurrent: plugin === 'webhook',
  };
}

function modeOf(values: Values, plugin: 'log' | 'webhook'): string {
  const mode = values[`audit-${plugin}-mode`];
  if (!modes.includes(mode)) throw new Error(`invalid audit ${plugin} mode ${mode}, allowed modes are ${JSON.stringify(modes.join(','))}`);
  for (const [flag, what] of [
    ['batch-buffer-size', 'buffer size'],
    ['batch-max-size', 'max batch size'],
  ] as const)
    if (mode === 'batch' && values[`audit-${plugin}-${flag}`] <= 0)
      throw new Error(`invalid audit batch ${plugin} ${what} ${values[`audit-${plugin}-${flag}`]}, must be a positive number`);
  return mode;
}

function truncated(values: Values, plugin: 'log' | 'webhook', backend: AuditBackend, log: Log): AuditBackend {
  if (!values[`audit-${plugin}-truncate-enabled`]) return backend;
  const most = values[`audit-${plugin}-truncate-max-event-size`];
  if (most <= 0) throw new Error(`--audit-${plugin}-truncate-max-event-size ${most} must be a positive number`);
  return truncatingBackend(backend, most, log);
}

function logSink(values: Values, context: Context): LineSink {
  const path = values['audit-log-path'];
  if (path === '-') return { write: (text) => void process.stdout.write(text) };
  for (const flag of ['audit-log-maxage', 'audit-log-maxbackup', 'audit-log-maxsize'] as const)
    if (values[flag] < 0) throw new Error(`--${flag} ${values[flag]} can't be a negative number`);
  return new RotatingFile({
    path,
    maxSize: values['audit-log-maxsize'] * mebibyte,
    maxAge: values['audit-log-maxage'] * day,
    maxBackups: values['audit-log-maxbackup'],
    compress: values['audit-log-compress'],
    clock: context.clock,
  });
}

export function auditOf(values: Values, context: Context): Auditor | undefined {
  const { clock, random } = context;
  const policyFile = values['audit-policy-file'];
  const logging = values['audit-log-path'] !== '';
  const webhookFile = values['audit-webhook-config-file'];
  // As upstream's: back ends without a policy get nothing, a policy without a back end writes nothing.
  if (policyFile === '' || (!logging && webhookFile === '')) return undefined;
  const log = context.log.with({ component: 'audit' });
  let policy;
  try {
    policy = auditPolicy(readDocument('audit-policy-file', policyFile));
  } catch (error) {
    throw new Error(`loading audit policy file: ${(error as Error).message}: from file ${policyFile}`, { cause: error });
  }
  const backends: AuditBackend[] = [];
  if (logging) {
    const mode = modeOf(values, 'log');
    const sink = logSink(values, context);
    backends.push(
      truncated(
        values,
        'log',
        mode === 'batch'
          ? batchBackend(logBatches(sink), batchOptions(values, 'log'), { clock, log, close: () => sink.close?.() })
          : logBackend(sink, log, mode === 'blocking-strict'),
        log,
      ),
    );
  }
  if (webhookFile !== '') {
    const mode = modeOf(values, 'webhook');
    const webhook = new ConfiguredWebhook({
      address: kubeconfigOptions(webhookFile, { clock }),
      clock,
      random,
      backoff: values['audit-webhook-initial-backoff'],
      retryAll: true,
    });
    backends.push(
      truncated(
        values,
        'webhook',
        mode === 'batch'
          ? batchBackend(webhookBatches(webhook), batchOptions(values, 'webhook'), { clock, log, close: () => webhook.close() })
          : webhookBackend(webhook, log, mode === 'blocking-strict'),
        log,
      ),
    );
  }
  return new Auditor(policy, backends, clock);
}
