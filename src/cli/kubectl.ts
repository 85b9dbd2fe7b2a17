import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { existingCluster, findKubectl } from '#cluster';

/** `coxswain kubectl [--name cluster] …`: everything else is kubectl's. */
export async function kubectl(parameters: string[]): Promise<number> {
  let name = process.env['COXSWAIN_NAME'] ?? 'coxswain';
  if (parameters[0] === '--name' && parameters[1] !== undefined) [, name] = parameters.splice(0, 2) as [string, string];
  const { paths } = existingCluster(name);
  const child = spawn(await findKubectl(paths), parameters, { stdio: 'inherit', env: { ...process.env, KUBECONFIG: paths.kubeconfig } });
  // Ctrl-C reaches kubectl from the terminal itself; this process only waits for it.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`Cannot run kubectl: ${error.message}`, { cause: error })));
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}
