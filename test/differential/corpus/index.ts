/** The whole corpus, in the order in which it is asked. */
import { mutationScenarios } from './mutations.ts';
import type { Scenario } from './scenario.ts';
import { verbScenarios } from './verbs.ts';

export const corpus = (): Scenario[] => [...verbScenarios(), ...mutationScenarios()];
