import { IngressClass } from '#api';
import type { Ingress } from '#api';
import type { AdmissionPluginFactory } from '../contract.ts';
import { isFor } from './attributes.ts';
import { defaultClass } from './default-class.ts';

const group = 'networking.k8s.io';

/** upstream: plugin/pkg/admission/network/defaultingressclass. */
export const defaultIngressClass: AdmissionPluginFactory = ({ informers }) => {
  const classes = informers.for(IngressClass);
  return {
    name: 'DefaultIngressClass',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, group, 'ingresses'),
    admit({ object }) {
      const ingress = object as Ingress;
      if (ingress.spec?.ingressClassName !== undefined || ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined)
        return;
      const found = defaultClass(classes.list(), ['ingressclass.kubernetes.io/is-default-class'])?.metadata?.name;
      if (found) (ingress.spec ??= {}).ingressClassName = found;
    },
  };
};
