/** The whole corpus, in the order in which it is asked. */
import { autoscalerScenario } from './autoscalers.ts';
import { customScenarios } from './custom.ts';
import { mutationScenarios } from './mutations.ts';
import type { Scenario, Step } from './scenario.ts';
import { specialScenarios } from './special.ts';
import { verbScenarios } from './verbs.ts';

/** Kinds that are asked everything where answers are kept: one of each way in which kinds are made. */
const thorough = /^verbs (configmaps|pods|services|deployments|namespaces|nodes|events|customresourcedefinitions|roles|jobs)/;
/** What is told the same way of every kind, and changes nothing. */
const general =
  /garbage|nonsense|wrong type|text type|of collection|in URL|strict|create (nothing|list|text|other|empty|long|yaml|twice|unknown|bad (validation|dry))|list (bad|exact)|watch|bad (policy|operation|path)|json object|no type|two policies|long manager|get (html|as|pretty)|delete (garbage|other kind|collection bad)|missing|as alice/;

/** What the test without upstream asks: all but what others of its kind stand for. */
function kept(scenario: Scenario): Scenario {
  const keeps = ({ name }: Step): boolean => {
    if (scenario.name.startsWith('verbs ')) return thorough.test(scenario.name) || !general.test(name);
    if (scenario.name.startsWith('mutations ')) return !name.startsWith('update ') && !/^create (text|number|huge|twice|odd) /.test(name);
    if (scenario.name.startsWith('rich '))
      return !/^update (twice|huge|zero|more|negative|odd|without|not) |^create (text|number|huge|twice) /.test(name);
    return true;
  };
  return { ...scenario, steps: scenario.steps.filter(keeps) };
}

/** Service addresses come from what ServiceCIDRs there are: those that the corpus makes come last. */
const late = ({ name }: Scenario): number => (/servicecidrs/.test(name) ? 1 : 0);

export function corpus(part?: 'kept'): Scenario[] {
  const all = [...specialScenarios(), ...customScenarios(), autoscalerScenario(), ...verbScenarios(), ...mutationScenarios()].toSorted(
    (a, b) => late(a) - late(b),
  );
  return part === 'kept' ? all.map(kept) : all;
}
