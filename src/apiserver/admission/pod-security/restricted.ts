import { badSeccomp, procMount } from './baseline.ts';
import type { Check, CheckPod } from './check.ts';
import { containersOf, containerText, hasOwnUsers, namesOf, onWindows, plural, quoted, setters, sorted } from './check.ts';

const allowPrivilegeEscalation: CheckPod = (spec) => {
  const bad = containersOf(spec).filter(({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containerText(namesOf(bad))} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: CheckPod = (spec) => {
  const containers = containersOf(spec);
  const keeping = containers.filter(({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
  const added = (container: (typeof containers)[number]): string[] =>
    (container.securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const adding = containers.filter((container) => added(container).length > 0);
  const details = [
    ...(keeping.length > 0 ? [`${containerText(namesOf(keeping))} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [`${containerText(namesOf(adding))} must not include ${quoted(sorted(adding.flatMap(added)))} in securityContext.capabilities.add`]
      : []),
  ];
  return details.length > 0 ? { reason: 'unrestricted capabilities', detail: details.join('; ') } : undefined;
};

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const otherVolumes = (
  'hostPath gcePersistentDisk awsElasticBlockStore gitRepo nfs iscsi glusterfs rbd flexVolume cinder cephfs flocker fc azureFile ' +
  'vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume scaleIO storageos'
).split(' ');

const volumeTypes: CheckPod = ({ volumes = [] }) => {
  const has = (volume: object, field: string): boolean => (volume as Record<string, unknown>)[field] !== undefined;
  const bad = volumes.filter((volume) => !allowedVolumes.some((field) => has(volume, field)));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => otherVolumes.find((field) => has(volume, field)) ?? 'unknown'));
  return {
    reason: 'restricted volume types',
    detail: `${plural('volume', bad.length)} ${quoted(bad.map(({ name }) => name))} ${plural('uses', bad.length, 'use')} ${plural('restricted volume type', types.length)} ${quoted(types)}`,
  };
};

const runAsNonRoot: CheckPod = (spec) => {
  const reason = 'runAsNonRoot != true';
  const ofPod = spec.securityContext?.runAsNonRoot;
  const containers = containersOf(spec);
  const explicit = containers.filter(({ securityContext }) => securityContext?.runAsNonRoot === false);
  if (ofPod === false || explicit.length > 0)
    return { reason, detail: `${setters(ofPod === false, explicit)} must not set securityContext.runAsNonRoot=false` };
  const silent = ofPod ? [] : containers.filter(({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${containerText(namesOf(silent))} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: CheckPod = (spec) => {
  const ofPod = spec.securityContext?.runAsUser === 0;
  const containers = containersOf(spec).filter(({ securityContext }) => securityContext?.runAsUser === 0);
  if (!ofPod && containers.length === 0) return undefined;
  return { reason: 'runAsUser=0', detail: `${setters(ofPod, containers)} must not set runAsUser=0` };
};

const seccomp: CheckPod = (spec) => {
  const bad = badSeccomp(spec);
  if (bad) return bad;
  const silent = spec.securityContext?.seccompProfile
    ? []
    : containersOf(spec).filter(({ securityContext }) => !securityContext?.seccompProfile);
  if (silent.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${containerText(namesOf(silent))} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

const unless =
  (exempt: (spec: Parameters<CheckPod>[0]) => boolean, check: CheckPod): CheckPod =>
  (spec, annotations) =>
    exempt(spec) ? undefined : check(spec, annotations);

/** In the order in which violations are listed, after those of the baseline. */
export const restrictedChecks: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      { since: 8, check: allowPrivilegeEscalation },
      { since: 25, check: unless(onWindows, allowPrivilegeEscalation) },
    ],
  },
  {
    id: 'capabilities_restricted',
    versions: [
      { since: 22, check: capabilities, overrides: 'capabilities_baseline' },
      { since: 25, check: unless(onWindows, capabilities), overrides: 'capabilities_baseline' },
    ],
  },
  { id: 'procMount_restricted', versions: [{ since: 35, check: procMount, overrides: 'procMount' }] },
  { id: 'restrictedVolumes', versions: [{ since: 0, check: volumeTypes, overrides: 'hostPathVolumes' }] },
  {
    id: 'runAsNonRoot',
    versions: [
      { since: 0, check: runAsNonRoot },
      { since: 35, check: unless(hasOwnUsers, runAsNonRoot) },
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      { since: 23, check: runAsUser },
      { since: 35, check: unless(hasOwnUsers, runAsUser) },
    ],
  },
  {
    id: 'seccompProfile_restricted',
    versions: [
      { since: 19, check: seccomp, overrides: 'seccompProfile_baseline' },
      { since: 25, check: unless(onWindows, seccomp), overrides: 'seccompProfile_baseline' },
    ],
  },
];
