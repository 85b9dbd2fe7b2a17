/** One step of the pod's way. `folder` is where it happens; begin and end say which observable fact delimits it. */
export interface Step {
  id: StepId;
  title: string;
  folder: string;
  begins: string;
  ends: string;
  optional?: boolean;
}

export type StepId =
  | 'requested'
  | 'authorized'
  | 'admitted'
  | 'stored'
  | 'scheduled'
  | 'accepted'
  | 'volumes'
  | 'sandbox'
  | 'network'
  | 'image'
  | 'started'
  | 'ready'
  | 'endpoints';

export const steps: readonly Step[] = [
  {
    id: 'requested',
    title: 'Requested',
    folder: 'apiserver',
    begins: 'the owner or a client sends the pod',
    ends: 'the caller is authenticated',
  },
  { id: 'authorized', title: 'Authorized', folder: 'apiserver', begins: 'the caller is known', ends: 'a rule allows it' },
  {
    id: 'admitted',
    title: 'Admitted',
    folder: 'apiserver',
    begins: 'admission is asked',
    ends: 'defaults, plugins and validation are through',
  },
  { id: 'stored', title: 'Stored', folder: 'store', begins: 'the transaction is sent', ends: 'it is durable at a revision' },
  {
    id: 'scheduled',
    title: 'Scheduled',
    folder: 'scheduler',
    begins: 'the scheduler sees the pod',
    ends: 'the binding is stored (condition PodScheduled)',
  },
  { id: 'accepted', title: 'Accepted', folder: 'kubelet', begins: 'the kubelet sees the pod', ends: 'it is admitted on the node' },
  {
    id: 'volumes',
    title: 'Volumes mounted',
    folder: 'kubelet',
    begins: 'the first volume is set up',
    ends: 'all are mounted',
    optional: true,
  },
  {
    id: 'sandbox',
    title: 'Sandbox created',
    folder: 'runtime',
    begins: 'the sandbox is asked for',
    ends: 'it runs (condition PodReadyToStartContainers)',
  },
  { id: 'network', title: 'Network attached', folder: 'network', begins: 'the sandbox is asked for', ends: 'the pod has an address' },
  { id: 'image', title: 'Images present', folder: 'runtime', begins: 'the first image is looked up', ends: 'all are there' },
  { id: 'started', title: 'Containers started', folder: 'runtime', begins: 'the first container is created', ends: 'the last one runs' },
  { id: 'ready', title: 'Ready', folder: 'kubelet', begins: 'the containers run', ends: 'condition Ready is True' },
  {
    id: 'endpoints',
    title: 'In its Services',
    folder: 'controllers',
    begins: 'the pod is Ready',
    ends: 'an EndpointSlice lists it as ready',
    optional: true,
  },
];
