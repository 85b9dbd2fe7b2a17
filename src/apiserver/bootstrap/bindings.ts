import type { BindingTable, RoleTable } from './role-table.ts';

/** Who has the ClusterRole of the same name. upstream: rbac/bootstrappolicy ClusterRoleBindings. */
export const clusterRoleBindings: BindingTable = {
  'cluster-admin': ['group system:masters'],
  'system:basic-user': ['group system:authenticated'],
  'system:discovery': ['group system:authenticated'],
  'system:kube-controller-manager': ['user system:kube-controller-manager'],
  'system:kube-dns': ['serviceaccount kube-system/kube-dns'],
  'system:kube-scheduler': ['user system:kube-scheduler'],
  'system:monitoring': ['group system:monitoring'],
  'system:node': [],
  'system:node-proxier': ['user system:kube-proxy'],
  'system:public-info-viewer': ['group system:authenticated', 'group system:unauthenticated'],
  'system:service-account-issuer-discovery': ['group system:serviceaccounts'],
  'system:volume-scheduler': ['user system:kube-scheduler'],
};

/** Roles, by namespace. upstream: rbac/bootstrappolicy/namespace_policy.go. */
export const roles: Record<string, RoleTable> = {
  'kube-public': {
    'system:controller:bootstrap-signer': {
      rules: ['read | core | configmaps', 'update | core | configmaps | cluster-info', 'create patch update | core events.k8s.io | events'],
    },
  },
  'kube-system': {
    'extension-apiserver-authentication-reader': { rules: ['read | core | configmaps | extension-apiserver-authentication'] },
    'system::leader-locking-kube-controller-manager': {
      rules: ['read create update | coordination.k8s.io | leases', 'read create update | coordination.k8s.io | leasecandidates'],
    },
    'system::leader-locking-kube-scheduler': {
      rules: ['read create update | coordination.k8s.io | leases', 'read create update | coordination.k8s.io | leasecandidates'],
    },
    'system:controller:bootstrap-signer': { rules: ['read | core | secrets'] },
    'system:controller:cloud-provider': { rules: ['read create | core | configmaps'] },
    'system:controller:token-cleaner': { rules: ['read delete | core | secrets', 'create patch update | core events.k8s.io | events'] },
  },
};

/** Who has the Role of the same name in the namespace (a name with two colons: the Role may have one less). */
export const roleBindings: Record<string, BindingTable> = {
  'kube-public': {
    'system:controller:bootstrap-signer': ['serviceaccount kube-system/bootstrap-signer'],
  },
  'kube-system': {
    'system::extension-apiserver-authentication-reader': ['user system:kube-controller-manager', 'user system:kube-scheduler'],
    'system::leader-locking-kube-controller-manager': [
      'user system:kube-controller-manager',
      'serviceaccount kube-system/kube-controller-manager',
      'serviceaccount kube-system/leader-election-controller',
    ],
    'system::leader-locking-kube-scheduler': ['user system:kube-scheduler', 'serviceaccount kube-system/kube-scheduler'],
    'system:controller:bootstrap-signer': ['serviceaccount kube-system/bootstrap-signer'],
    'system:controller:cloud-provider': ['serviceaccount kube-system/cloud-provider'],
    'system:controller:token-cleaner': ['serviceaccount kube-system/token-cleaner'],
  },
};
