/** What fields that every object has are for, in our words: `kubectl explain` shows it. */
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

export const common = {
  apiVersion: 'APIVersion defines which version of its schema the object is written in.',
  kind: 'Kind is the name of the schema the object is written in.',
  metadata: "Standard object's metadata: its name, labels and what the server knows about it.",
} as const;

/** By type and field; the empty field is the type itself. */
export const descriptions: Record<string, Record<string, string>> = {
  [`${meta}ObjectMeta`]: {
    '': 'ObjectMeta is what all stored objects have in common.',
    annotations: 'Annotations are keys and values for tools; objects are not selected by them.',
    creationTimestamp: 'CreationTimestamp is a timestamp of when the server made the object. Only the server sets it.',
    deletionGracePeriodSeconds: 'Seconds the object has to end after its deletion was asked for. Only the server sets it.',
    deletionTimestamp: 'DeletionTimestamp is when the object will be gone, once its deletion was asked for. Only the server sets it.',
    finalizers: 'Finalizers must all be taken off before a deleted object goes.',
    generateName: 'GenerateName is what the name begins with where the server makes it.',
    generation: 'Generation counts the changes of what is wanted. Only the server sets it.',
    labels: 'Labels are keys and values by which objects are selected.',
    managedFields: 'ManagedFields says who manages which field. Only the server sets it.',
    name: 'Name is unique among the objects of its kind in its namespace. It cannot be changed.',
    namespace: 'Namespace is where the object lives. It cannot be changed.',
    ownerReferences: 'OwnerReferences are the objects without which this one goes too.',
    resourceVersion: 'ResourceVersion changes with every write; what is sent back must be the one that was read. Only the server sets it.',
    selfLink: 'SelfLink is no longer used.',
    uid: 'UID is unique in time and space. Only the server sets it.',
  },
  [`${meta}ListMeta`]: {
    '': 'ListMeta is what all lists have in common.',
    continue: 'Continue is the token to ask for the next page with.',
    remainingItemCount: 'RemainingItemCount is how many items follow this page.',
    resourceVersion: 'ResourceVersion is the state of the store that the list shows.',
    selfLink: 'SelfLink is no longer used.',
  },
};
