/** Probes and life-cycle handlers. upstream: validateProbe, validateHandler, validateLifecycle in pkg/apis/core/validation. */
import { isHTTPHeaderName } from '#machinery/names';
import { checkNonnegative, checkPort, forbiddenField, invalidField, invalidFor, required, unsupported } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from '../../facts/types.ts';
import { isStopSignal, windowsStopSignals } from './stop-signals.ts';

const tooManyHandlers = 'may not specify more than 1 handler type';

type Handler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & LifecycleHandler;

/** `gracePeriod` bounds the sleep action; undefined where the pod has none. */
function checkHandler(errors: Errors, path: string, handler: Handler, gracePeriod: number | undefined): void {
  let kinds = 0;
  if (handler.exec) {
    kinds++;
    if (!handler.exec.command?.length) errors.push(required(`${path}.exec.command`));
  }
  if (handler.httpGet) {
    if (kinds++ > 0) errors.push(forbiddenField(`${path}.httpGet`, tooManyHandlers));
    else checkHttpGet(errors, `${path}.httpGet`, handler.httpGet);
  }
  if (handler.tcpSocket) {
    if (kinds++ > 0) errors.push(forbiddenField(`${path}.tcpSocket`, tooManyHandlers));
    else checkPort(errors, `${path}.tcpSocket.port`, handler.tcpSocket.port);
  }
  if (handler.grpc) {
    if (kinds++ > 0) errors.push(forbiddenField(`${path}.grpc`, tooManyHandlers));
    else checkPort(errors, `${path}.grpc.port`, handler.grpc.port);
  }
  if (handler.sleep) {
    if (kinds++ > 0) errors.push(forbiddenField(`${path}.sleep`, tooManyHandlers));
    else {
      const seconds = handler.sleep.seconds ?? 0;
      if (gracePeriod !== undefined && (seconds < 0 || seconds > gracePeriod))
        errors.push(
          invalidField(`${path}.sleep`, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`),
        );
    }
  }
  if (kinds === 0) errors.push(required(path, 'must specify a handler type'));
}

function checkHttpGet(errors: Errors, path: string, action: HTTPGetAction): void {
  if (!action.path) errors.push(required(`${path}.path`));
  checkPort(errors, `${path}.port`, action.port);
  if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS') errors.push(unsupported(`${path}.scheme`, action.scheme, ['HTTP', 'HTTPS']));
  for (const { name } of action.httpHeaders ?? []) invalidFor(errors, `${path}.httpHeaders`, name, isHTTPHeaderName(name));
}

function checkProbe(errors: Errors, path: string, probe: Probe, gracePeriod: number | undefined): void {
  checkHandler(errors, path, probe, gracePeriod);
  checkNonnegative(errors, `${path}.initialDelaySeconds`, probe.initialDelaySeconds);
  checkNonnegative(errors, `${path}.timeoutSeconds`, probe.timeoutSeconds);
  checkNonnegative(errors, `${path}.periodSeconds`, probe.periodSeconds);
  checkNonnegative(errors, `${path}.successThreshold`, probe.successThreshold);
  checkNonnegative(errors, `${path}.failureThreshold`, probe.failureThreshold);
  if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0)
    errors.push(invalidField(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must be greater than 0'));
}

/** The three probes of a container, in upstream's order. */
export function checkProbes(
  errors: Errors,
  path: string,
  container: { livenessProbe?: Probe; readinessProbe?: Probe; startupProbe?: Probe },
  gracePeriod: number | undefined,
): void {
  const { livenessProbe: liveness, readinessProbe: readiness, startupProbe: startup } = container;
  if (liveness) checkOneSuccess(errors, `${path}.livenessProbe`, liveness, gracePeriod);
  if (readiness) {
    checkProbe(errors, `${path}.readinessProbe`, readiness, gracePeriod);
    if (readiness.terminationGracePeriodSeconds !== undefined)
      errors.push(
        invalidField(
          `${path}.readinessProbe.terminationGracePeriodSeconds`,
          readiness.terminationGracePeriodSeconds,
          'must not be set for readinessProbes',
        ),
      );
  }
  if (startup) checkOneSuccess(errors, `${path}.startupProbe`, startup, gracePeriod);
}

function checkOneSuccess(errors: Errors, path: string, probe: Probe, gracePeriod: number | undefined): void {
  checkProbe(errors, path, probe, gracePeriod);
  if (probe.successThreshold !== 1) errors.push(invalidField(`${path}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'));
}

export function checkLifecycle(
  errors: Errors,
  path: string,
  lifecycle: Lifecycle,
  gracePeriod: number | undefined,
  os: string | undefined,
): void {
  if (lifecycle.postStart) checkHandler(errors, `${path}.postStart`, lifecycle.postStart, gracePeriod);
  if (lifecycle.preStop) checkHandler(errors, `${path}.preStop`, lifecycle.preStop, gracePeriod);
  if (lifecycle.stopSignal === undefined) return;
  const at = `${path}.stopSignal`;
  if (os === undefined) errors.push(forbiddenField(at, 'may not be set for containers with empty `spec.os.name`'));
  else if (os === 'windows' && !windowsStopSignals.includes(lifecycle.stopSignal))
    errors.push(unsupported(at, lifecycle.stopSignal, windowsStopSignals));
  else if (os === 'linux' && !isStopSignal(lifecycle.stopSignal)) errors.push(unsupported(at, lifecycle.stopSignal, []));
}
