import type { CertificateSigningRequest } from '#api';
import { equal } from '#machinery/meta';
import { parseRequest } from '#machinery/pki';
import type { AdmissionAttributes, AdmissionPluginFactory, Authorizer } from '../contract.ts';
import { forbid, isFor } from './attributes.ts';

const group = 'certificates.k8s.io';
const resource = 'certificatesigningrequests';

/** Allowed for this signer, or for all of its domain. upstream: pkg/certauthorization. */
async function mayActFor(authorizer: Authorizer, { user }: AdmissionAttributes, verb: string, signer: string): Promise<boolean> {
  const domain = `${signer.split('/')[0]}/*`;
  for (const name of [signer, domain]) {
    const info = {
      isResourceRequest: true,
      path: '',
      verb,
      group,
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      name,
    };
    if ((await authorizer({ user, info })).verdict === 'allow') return true;
  }
  return false;
}

const signerOf = ({ oldObject }: AdmissionAttributes): string => (oldObject as CertificateSigningRequest).spec.signerName;

/** Who approves must be allowed to for that signer. upstream: plugin/pkg/admission/certificates/approval. */
export const certificateApproval: AdmissionPluginFactory = ({ authorizer }) => ({
  name: 'CertificateApproval',
  handles: (attributes) => attributes.operation === 'UPDATE' && isFor(attributes, group, resource, 'approval'),
  async validate(attributes) {
    const signer = signerOf(attributes);
    if (!(await mayActFor(authorizer, attributes, 'approve', signer)))
      throw forbid(attributes, `user not permitted to approve requests with signerName "${signer}"`);
  },
});

/** So must who signs. upstream: plugin/pkg/admission/certificates/signing. */
export const certificateSigning: AdmissionPluginFactory = ({ authorizer }) => ({
  name: 'CertificateSigning',
  handles: (attributes) => attributes.operation === 'UPDATE' && isFor(attributes, group, resource, 'status'),
  async validate(attributes) {
    const { status: old } = attributes.oldObject as CertificateSigningRequest;
    const { status } = attributes.object as CertificateSigningRequest;
    if (old?.certificate === status?.certificate && equal(old?.conditions ?? [], status?.conditions ?? [])) return;
    const signer = signerOf(attributes);
    if (!(await mayActFor(authorizer, attributes, 'sign', signer)))
      throw forbid(attributes, `user not permitted to sign requests with signerName "${signer}"`);
  },
});

/** Nobody becomes system:masters by a request. upstream: plugin/pkg/admission/certificates/subjectrestriction. */
export const certificateSubjectRestriction: AdmissionPluginFactory = () => ({
  name: 'CertificateSubjectRestriction',
  handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, group, resource),
  validate(attributes) {
    const { spec } = attributes.object as CertificateSigningRequest;
    if (spec.signerName !== 'kubernetes.io/kube-apiserver-client') return;
    let organizations: string[];
    try {
      ({ organizations } = parseRequest(Buffer.from(spec.request, 'base64').toString()).subject);
    } catch (error) {
      throw forbid(attributes, `failed to parse CSR: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (organizations.includes('system:masters'))
      throw forbid(attributes, `use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed`);
  },
});
