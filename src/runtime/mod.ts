/**
 * What runs containers, behind CRI's interfaces: cri/ (containerd, CRI-O over gRPC), simulated/ (pods that walk stages without a process).
 * Step of the pod's way: "sandbox", "image", "started". Read first: contract.ts; testsuite.ts says what every back end must do.
 */
export * from './contract.ts';
export { criRuntime } from './cri/runtime.ts';
export { startContainerd, containerdPid, containerdSocket } from './cri/containerd.ts';
export type { ContainerdOptions } from './cri/containerd.ts';
export { bundledImages, busyboxImage, sandboxImage } from './images/bundled.ts';
export { simulatedRuntime } from './simulated/runtime.ts';
export type { SimulatedOptions } from './simulated/runtime.ts';
