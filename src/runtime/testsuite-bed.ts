/** What the tests of testsuite.ts make: pods, containers, and what is looked at of them. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RuntimeError } from './contract.ts';
import type { ContainerConfig, ContainerStatus, PodSandboxConfig, Runtime, RuntimeErrorCode } from './contract.ts';

export interface RuntimeUnderTest {
  runtime: Runtime;
  image: string;
  /** An archive that holds `image`; absent where archives cannot be loaded. */
  archive?: string;
  /** A directory for the logs of pods. */
  logs: string;
  cgroupParent?: string;
  /** Lets time pass, real or not. */
  advance(milliseconds: number): Promise<void>;
  close(): Promise<void>;
}

export const failsWith = (code: RuntimeErrorCode) => (error: unknown) => {
  assert(error instanceof RuntimeError, `not a RuntimeError: ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return true;
};

/** One test's pods. */
export class Bed {
  readonly runtime: Runtime;
  readonly image: string;
  readonly archive: string | undefined;
  readonly name: string;
  readonly processes: boolean;
  readonly advance: (milliseconds: number) => Promise<void>;
  readonly #under: RuntimeUnderTest;
  readonly #sandboxes: [id: string, config: PodSandboxConfig][] = [];
  #made = 0;

  constructor(under: RuntimeUnderTest, name: string) {
    this.#under = under;
    this.runtime = under.runtime;
    this.image = under.image;
    this.archive = under.archive;
    this.processes = under.archive !== undefined;
    this.advance = (milliseconds) => under.advance(milliseconds);
    this.name = name;
  }

  /** The runtime's own time, by what it says of something made now. */
  async now(): Promise<number> {
    const id = await this.sandbox();
    return ((await this.runtime.runtime.podSandboxStatus({ podSandboxId: id })).status?.createdAt ?? 0) / 1e6;
  }

  pod(more: PodSandboxConfig = {}): PodSandboxConfig {
    const uid = `${this.name}-${this.#made}`;
    return {
      metadata: { name: this.name, namespace: 'suite', uid, attempt: 0 },
      logDirectory: join(this.#under.logs, uid),
      linux: this.#under.cgroupParent === undefined ? {} : { cgroupParent: this.#under.cgroupParent },
      ...more,
    };
  }

  async sandbox(more: PodSandboxConfig = {}): Promise<string> {
    this.#made++;
    const config = this.pod(more);
    mkdirSync(config.logDirectory!, { recursive: true });
    const { podSandboxId = '' } = await this.runtime.runtime.runPodSandbox({ config });
    this.#sandboxes.push([podSandboxId, config]);
    return podSandboxId;
  }

  container(config: ContainerConfig, name: string): ContainerConfig {
    return { metadata: { name, attempt: 0 }, image: { image: this.image }, logPath: `${name}/0.log`, ...config };
  }

  async create(podSandboxId: string, config: ContainerConfig, name = 'c'): Promise<string> {
    const sandboxConfig = this.#sandboxes.find(([id]) => id === podSandboxId)![1];
    const wanted = this.container(config, name);
    mkdirSync(dirname(join(sandboxConfig.logDirectory!, wanted.logPath!)), { recursive: true });
    const { containerId = '' } = await this.runtime.runtime.createContainer({ podSandboxId, config: wanted, sandboxConfig });
    return containerId;
  }

  async run(podSandboxId: string, config: ContainerConfig, name = 'c'): Promise<string> {
    const containerId = await this.create(podSandboxId, config, name);
    await this.runtime.runtime.startContainer({ containerId });
    return containerId;
  }

  async status(containerId: string): Promise<ContainerStatus> {
    return (await this.runtime.runtime.containerStatus({ containerId })).status!;
  }

  async ended(containerId: string): Promise<ContainerStatus> {
    for (let tries = 0; tries < 400; tries++) {
      const status = await this.status(containerId);
      if (status.state === 'CONTAINER_EXITED') return status;
      await this.advance(25);
    }
    assert.fail('the container did not end');
  }

  /** A started container has written something: it has done what its command does before that. */
  async spoken(containerId: string): Promise<void> {
    if (!this.processes) return;
    const path = (await this.status(containerId)).logPath!;
    for (let tries = 0; tries < 400; tries++) {
      if (existsSync(path) && statSync(path).size > 0) return;
      await this.advance(25);
    }
    assert.fail('the container wrote nothing');
  }

  async clean(): Promise<void> {
    for (const [podSandboxId] of this.#sandboxes) {
      await this.runtime.runtime.stopPodSandbox({ podSandboxId }).catch(failsWith('not-found'));
      await this.runtime.runtime.removePodSandbox({ podSandboxId });
    }
  }
}
