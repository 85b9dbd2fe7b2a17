/** Coxswain's answers to the corpus are upstream's, as far as they are kept and nobody has explained a difference. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { walkScenario } from './differential/ask.ts';
import { differences } from './differential/compare.ts';
import { corpus } from './differential/corpus/index.ts';
import { startCoxswain } from './differential/coxswain.ts';
import { Explanations } from './differential/explanations.ts';
import { HttpPeer } from './differential/http-peer.ts';
import { Recording } from './differential/recording.ts';

/** A few seconds' worth; all that is kept is asked by `npm run differential -- --recorded`. */
const quick =
  /^(documents|reviews|pages|limits|security|policies|applying|custom|verbs (configmaps|pods|replicasets|endpointslices|ingresses|cronjobs|limitranges|secrets|services|deployments|statefulsets|jobs|leases|networkpolicies|roles|storageclasses|resourcequotas) |rich (config|pod containers|pod security|service cluster|network policy|ingress|claim|deployment)$)/;

const skip = existsSync(join(import.meta.dirname, 'differential/recorded.jsonl'))
  ? false
  : 'no answers are kept: npm run differential -- --record';

test("answers are upstream's", { skip, timeout: 180_000 }, async () => {
  const recording = Recording.read();
  const explanations = new Explanations();
  const coxswain = await startCoxswain();
  const open: string[] = [];
  let asked = 0;
  try {
    using peer = new HttpPeer(coxswain);
    for (const scenario of corpus('kept').filter(({ name }) => quick.test(name))) {
      const wanted = recording.answers(scenario);
      for (const [index, { id, answer }] of (await walkScenario(peer, scenario)).entries()) {
        asked++;
        for (const difference of differences(wanted[index]!.answer, answer))
          if (!explanations.explains(id, difference))
            open.push(`${id}: ${difference.path}: ${JSON.stringify(difference.upstream)} is ${JSON.stringify(difference.coxswain)} here`);
      }
    }
  } finally {
    await coxswain.stop();
  }
  assert.ok(asked >= 1500, `only ${asked} requests were asked`);
  assert.deepEqual(open.slice(0, 20), [], `${open.length} differences that nobody has explained`);
});
