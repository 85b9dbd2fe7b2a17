/**
 * What runs containers, behind CRI's interfaces: cri/ (containerd, CRI-O over gRPC), simulated/ (pods that walk stages without a process).
 * Step of the pod's way: "sandbox", "image", "started". Read first: contract.ts; testsuite.ts says what every back end must do.
 */
export * from './contract.ts';
