import type { RoleTable } from './role-table.ts';

/**
 * What each controller may do, by its service account in kube-system; each is bound to it as system:controller:<name>.
 * upstream: rbac/bootstrappolicy/controller_policy.go.
 */
export const controllerRoles: RoleTable = {
  'attachdetach-controller': {
    rules: [
      'list watch | core | persistentvolumeclaims persistentvolumes',
      'read | core | nodes',
      'patch update | core | nodes/status',
      'list watch | core | pods',
      'create patch update | core events.k8s.io | events',
      'read create delete | storage.k8s.io | volumeattachments',
      'read | storage.k8s.io | csidrivers',
      'read | storage.k8s.io | csinodes',
    ],
  },
  'certificate-controller': {
    rules: [
      'read delete | certificates.k8s.io | certificatesigningrequests',
      'update | certificates.k8s.io | certificatesigningrequests/approval certificatesigningrequests/status',
      'approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client-kubelet',
      'sign | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown',
      'create | authorization.k8s.io | subjectaccessreviews',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'clusterrole-aggregation-controller': { rules: ['read escalate patch update | rbac.authorization.k8s.io | clusterroles'] },
  'cronjob-controller': {
    rules: [
      'read update | batch | cronjobs',
      'read create delete patch update | batch | jobs',
      'update | batch | cronjobs/status',
      'update | batch | cronjobs/finalizers',
      'delete list watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'daemon-set-controller': {
    rules: [
      'read | apps extensions | daemonsets',
      'update | apps extensions | daemonsets/status',
      'update | apps extensions | daemonsets/finalizers',
      'list watch | core | nodes',
      'create delete list patch watch | core | pods',
      'create | core | pods/binding',
      'read create delete patch update | apps | controllerrevisions',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'deployment-controller': {
    rules: [
      'read update | apps extensions | deployments',
      'update | apps extensions | deployments/status',
      'update | apps extensions | deployments/finalizers',
      'read create delete patch update | apps extensions | replicasets',
      'read update | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'disruption-controller': {
    rules: [
      'read | apps extensions | deployments',
      'read | apps extensions | replicasets',
      'read | core | replicationcontrollers',
      'read | policy | poddisruptionbudgets',
      'read | apps | statefulsets',
      'update | policy | poddisruptionbudgets/status',
      'patch update | core | pods/status',
      'get | * | */scale',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'endpoint-controller': {
    rules: [
      'read | core | pods services',
      'read create delete update | core | endpoints',
      'create | core | endpoints/restricted',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'endpointslice-controller': {
    rules: [
      'read | core | nodes pods services',
      'update | core | services/finalizers',
      'read create delete update | discovery.k8s.io | endpointslices',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'endpointslicemirroring-controller': {
    rules: [
      'read | core | endpoints services',
      'update | core | services/finalizers',
      'update | core | endpoints/finalizers',
      'read create delete update | discovery.k8s.io | endpointslices',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'ephemeral-volume-controller': {
    rules: [
      'read | core | pods',
      'update | core | pods/finalizers',
      'read create | core | persistentvolumeclaims',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'expand-controller': {
    rules: [
      'read patch update | core | persistentvolumes',
      'patch update | core | persistentvolumeclaims/status',
      'read | core | persistentvolumeclaims',
      'create patch update | core events.k8s.io | events',
      'get | core | services',
    ],
  },
  'generic-garbage-collector': { rules: ['read delete patch update | * | *', 'create patch update | core events.k8s.io | events'] },
  'horizontal-pod-autoscaler': {
    rules: [
      'read | autoscaling | horizontalpodautoscalers',
      'update | autoscaling | horizontalpodautoscalers/status',
      'get update | * | */scale',
      'list watch | core | pods',
      'list watch | metrics.k8s.io | pods',
      'read | custom.metrics.k8s.io | *',
      'read | external.metrics.k8s.io | *',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'job-controller': {
    rules: [
      'read patch update | batch | jobs',
      'update | batch | jobs/status',
      'update | batch | jobs/finalizers',
      'create delete list patch watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'legacy-service-account-token-cleaner': {
    rules: ['get | core | configmaps | kube-apiserver-legacy-service-account-token-tracking', 'delete patch | core | secrets'],
  },
  'namespace-controller': {
    rules: [
      'read delete | core | namespaces',
      'update | core | namespaces/finalize namespaces/status',
      'read delete deletecollection | * | *',
    ],
  },
  'node-controller': {
    rules: [
      'read delete patch update | core | nodes',
      'patch update | core | nodes/status',
      'patch update | core | pods/status',
      'read delete | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'persistent-volume-binder': {
    rules: [
      'read create delete update | core | persistentvolumes',
      'update | core | persistentvolumes/status',
      'read update | core | persistentvolumeclaims',
      'update | core | persistentvolumeclaims/status',
      'read create delete | core | pods',
      'read | storage.k8s.io | storageclasses',
      'list watch | core | nodes',
      'create patch update | core events.k8s.io | events',
      'watch | core | events',
      'get | core | services',
    ],
  },
  'pod-garbage-collector': { rules: ['delete list watch | core | pods', 'read | core | nodes', 'patch | core | pods/status'] },
  'pv-protection-controller': { rules: ['read update | core | persistentvolumes', 'create patch update | core events.k8s.io | events'] },
  'pvc-protection-controller': {
    rules: ['read update | core | persistentvolumeclaims', 'read | core | pods', 'create patch update | core events.k8s.io | events'],
  },
  'replicaset-controller': {
    rules: [
      'read update | apps extensions | replicasets',
      'update | apps extensions | replicasets/status',
      'update | apps extensions | replicasets/finalizers',
      'create delete list patch watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'replication-controller': {
    rules: [
      'read update | core | replicationcontrollers',
      'update | core | replicationcontrollers/status',
      'update | core | replicationcontrollers/finalizers',
      'create delete list patch watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'resource-claim-controller': {
    rules: [
      'read | core | pods',
      'update | core | pods/finalizers',
      'read create delete | resource.k8s.io | resourceclaims',
      'patch update | resource.k8s.io | resourceclaims resourceclaims/status',
      'patch update | core | pods/status',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'resourcequota-controller': {
    rules: ['list watch | * | *', 'update | core | resourcequotas/status', 'create patch update | core events.k8s.io | events'],
  },
  'root-ca-cert-publisher': { rules: ['create update | core | configmaps', 'create patch update | core events.k8s.io | events'] },
  'route-controller': {
    rules: ['list watch | core | nodes', 'patch | core | nodes/status', 'create patch update | core events.k8s.io | events'],
  },
  'selinux-warning-controller': {
    rules: [
      'create patch update | core events.k8s.io | events',
      'read | core | persistentvolumes',
      'read | core | persistentvolumeclaims',
      'read | core | pods',
      'read | storage.k8s.io | csidrivers',
    ],
  },
  'service-account-controller': { rules: ['create | core | serviceaccounts', 'create patch update | core events.k8s.io | events'] },
  'service-cidrs-controller': {
    rules: [
      'read patch update | networking.k8s.io | servicecidrs',
      'patch update | networking.k8s.io | servicecidrs/finalizers',
      'patch update | networking.k8s.io | servicecidrs/status',
      'read | networking.k8s.io | ipaddresses',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'service-controller': {
    rules: [
      'read | core | services',
      'patch update | core | services/status',
      'list watch | core | nodes',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'statefulset-controller': {
    rules: [
      'list watch | core | pods',
      'read | apps | statefulsets',
      'update | apps | statefulsets/status',
      'update | apps | statefulsets/finalizers',
      'create delete get patch update | core | pods',
      'read create delete patch update | apps | controllerrevisions',
      'read create | core | persistentvolumeclaims',
      'delete update | core | persistentvolumeclaims',
      'update | core | pods/finalizers',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'ttl-after-finished-controller': { rules: ['read delete | batch | jobs', 'create patch update | core events.k8s.io | events'] },
  'ttl-controller': { rules: ['list patch update watch | core | nodes', 'create patch update | core events.k8s.io | events'] },
  'validatingadmissionpolicy-status-controller': {
    rules: [
      'read | admissionregistration.k8s.io | validatingadmissionpolicies',
      'get patch update | admissionregistration.k8s.io | validatingadmissionpolicies/status',
      'create patch update | core events.k8s.io | events',
    ],
  },
  'volumeattributesclass-protection-controller': {
    rules: [
      'read | core | persistentvolumeclaims',
      'read | core | persistentvolumes',
      'read update | storage.k8s.io | volumeattributesclasses',
      'create patch update | core events.k8s.io | events',
    ],
  },
};
