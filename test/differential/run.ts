/**
 * `npm run differential`: asks Coxswain and upstream's kube-apiserver the same, and lists where the answers differ and nobody has said why.
 *   --only 'expression'   scenarios whose name it matches
 *   --random seed         requests made by chance instead of the corpus: see corpus/random.ts
 *   --record              keeps upstream's answers for the test that needs no upstream, and which differences are open
 *   --recorded            compares with those that were kept, of which the test asks a part
 *   --mended              takes what was asked and no longer differs out of the list of open differences
 *   --all                 lists explained differences as well
 *   --whole               whole answers after their differences
 *   --lines               a line a difference, for sorting and counting
 */
import { corpus } from './corpus/index.ts';
import { randomScenarios } from './corpus/random.ts';
import { walkScenario } from './ask.ts';
import { differences } from './compare.ts';
import type { Difference } from './compare.ts';
import { startCoxswain } from './coxswain.ts';
import { dropMended, Explanations, writeOpen } from './explanations.ts';
import { HttpPeer } from './http-peer.ts';
import { Recording } from './recording.ts';
import { startUpstream, upstreamMissing } from './upstream.ts';

const flags = process.argv.slice(2);
const only = flags.includes('--only') ? new RegExp(flags[flags.indexOf('--only') + 1] ?? '') : undefined;
const has = (flag: string): boolean => flags.includes(flag);

const recorded = has('--recorded');
const seed = has('--random') ? Number(flags[flags.indexOf('--random') + 1]) : undefined;
const all = seed === undefined ? corpus(recorded || has('--record') ? 'kept' : undefined) : randomScenarios(seed);
const scenarios = all.filter(({ name }) => !only || only.test(name));
const missing = recorded ? undefined : upstreamMissing();
if (missing) {
  console.error(missing);
  process.exit(1);
}
const coxswain = await startCoxswain();
const upstream = recorded ? undefined : await startUpstream();
let failed = 0;
try {
  const [ours, theirs] = [new HttpPeer(coxswain), upstream && new HttpPeer(upstream)];
  const recording = recorded ? Recording.read() : new Recording();
  const explanations = new Explanations();
  // Big documents are kept as hashes, and compared so where answers are kept.
  const whole = !recorded && !has('--record');
  const asked = new Set<string>();
  let same = 0;
  const still: { id: string; path: string }[] = [];
  for (const scenario of scenarios) {
    const [here, there] = await Promise.all([
      walkScenario(ours, scenario, whole),
      theirs ? walkScenario(theirs, scenario, whole) : recording.answers(scenario),
    ]);
    for (const [index, { id, step, answer }] of here.entries()) {
      asked.add(id);
      const wanted = there[index]!.answer;
      if (!recorded) recording.add(scenario, step, there[index]!.kept ?? wanted);
      const found = differences(wanted, answer);
      for (const difference of found) if (!explanations.explains(id, difference, false)) still.push({ id, path: difference.path });
      const open = found.filter((difference) => !explanations.explains(id, difference) || has('--all'));
      if (found.length === 0) same++;
      if (open.length === 0) continue;
      failed++;
      for (const difference of open) print(id, difference);
      if (has('--whole')) console.log(`  upstream  ${JSON.stringify(wanted)}\n  coxswain  ${JSON.stringify(answer)}`);
    }
  }
  if (!only && seed === undefined) for (const unused of explanations.unused()) console.log(`EXPLAINED BUT NOT FOUND\n  ${unused}`);
  if (has('--record') && !only) {
    recording.write();
    writeOpen(still);
  }
  if (has('--mended')) console.error(`${dropMended(asked, still)} differences are mended`);
  console.error(
    `${asked.size} requests, ${same} answered alike, ${failed} differ without an explanation, ${new Set(still.map(({ id }) => id)).size} of all are to be mended`,
  );
  ours[Symbol.dispose]();
  theirs?.[Symbol.dispose]();
} finally {
  await coxswain.stop();
  await upstream?.stop();
}
process.exit(failed > 0 ? 1 : 0);

function print(id: string, { path, upstream: wanted, coxswain: got }: Difference): void {
  if (has('--lines')) console.log(`${id}\t${path}\t${JSON.stringify(wanted)}\t${JSON.stringify(got)}`);
  else console.log(`${id}: ${path}\n  upstream  ${JSON.stringify(wanted)}\n  coxswain  ${JSON.stringify(got)}`);
}
