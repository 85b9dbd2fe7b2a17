/** Reads a profile of V8's (CPU or heap), names what is hottest by itself, and draws a flame graph that any browser opens. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Frame {
  functionName: string;
  url: string;
  lineNumber: number;
}

interface CpuProfile {
  nodes: { id: number; callFrame: Frame; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

interface HeapNode {
  callFrame: Frame;
  selfSize: number;
  children: HeapNode[];
}

/** A function as called from its callers; `self` is microseconds or bytes without those of its children. */
export interface Call {
  name: string;
  self: number;
  total: number;
  children: Call[];
}

const nameOf = ({ functionName, url, lineNumber }: Frame): string => {
  const place = url.replace(/^file:\/\//, '').replace(/^.*\/((?:src|node_modules|bench|conformance)\/)/, '$1');
  return `${functionName || '(anonymous)'}${place ? ` ${place}:${lineNumber + 1}` : ''}`;
};

const summed = (call: Call): Call => {
  call.total = call.self + call.children.reduce((sum, child) => sum + summed(child).total, 0);
  return call;
};

export function cpuCalls({ nodes, samples, timeDeltas }: CpuProfile): Call {
  const calls = new Map(
    nodes.map(({ id, callFrame }): [number, Call] => [id, { name: nameOf(callFrame), self: 0, total: 0, children: [] }]),
  );
  for (const { id, children = [] } of nodes) calls.get(id)!.children = children.map((child) => calls.get(child)!);
  for (const [index, id] of samples.entries()) {
    const call = calls.get(id)!;
    // An idle process burns nothing.
    if (!call.name.startsWith('(idle)')) call.self += Math.max(0, timeDeltas[index] ?? 0);
  }
  return summed(calls.get(nodes[0]!.id)!);
}

export function heapCalls({ head }: { head: HeapNode }): Call {
  const callOf = ({ callFrame, selfSize, children }: HeapNode): Call => ({
    name: nameOf(callFrame),
    self: selfSize,
    total: 0,
    children: children.map(callOf),
  });
  return summed(callOf(head));
}

/** Functions by what they take themselves, wherever they were called from. */
export function hottest(root: Call, count = 10): { name: string; share: number }[] {
  const found = new Map<string, number>();
  const visit = (call: Call): void => {
    if (call.self > 0) found.set(call.name, (found.get(call.name) ?? 0) + call.self);
    call.children.forEach(visit);
  };
  visit(root);
  return [...found]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([name, self]) => ({ name, share: self / root.total }));
}

/** Small calls leave; what remains of a name under one caller is one. */
function pruned(call: Call, least: number): [name: string, total: number, children: unknown[]] {
  const merged = new Map<string, Call>();
  for (const child of call.children) {
    const same = merged.get(child.name);
    if (same) merged.set(child.name, { ...same, total: same.total + child.total, children: [...same.children, ...child.children] });
    else merged.set(child.name, child);
  }
  return [
    call.name,
    Math.round(call.total),
    [...merged.values()]
      .filter(({ total }) => total >= least)
      .sort((a, b) => b.total - a.total)
      .map((child) => pruned(child, least)),
  ];
}

export function flameGraph(root: Call, title: string, unit: 'microseconds' | 'bytes'): string {
  const data = JSON.stringify(pruned(root, root.total / 2000)).replaceAll('<', '\\u003c');
  return `<!doctype html>
<meta charset="utf-8">
<title>${title}</title>
<style>
body { font: 13px system-ui, sans-serif; margin: 1em }
#graph div { position: absolute; height: 17px; overflow: hidden; white-space: nowrap; font-size: 11px; line-height: 17px; padding-left: 2px; border-radius: 2px; box-sizing: border-box; border-right: 1px solid #fff; cursor: pointer }
#graph { position: relative }
#what { min-height: 1.4em }
</style>
<h1>${title}</h1>
<p id="what">A box is a function, as wide as what it took with all it called; click one to see it alone, click the top to go back.</p>
<div id="graph"></div>
<script>
const data = ${data};
const unit = ${JSON.stringify(unit)};
const amount = (value) => unit === 'bytes' ? (value / 1048576).toFixed(2) + ' MB' : (value / 1000).toFixed(1) + ' ms';
const graph = document.getElementById('graph'), what = document.getElementById('what');
const hue = (name) => { let sum = 0; for (const c of name.split(' ').pop().split('/').slice(0, 2).join('/')) sum = (sum * 31 + c.charCodeAt(0)) % 360; return sum; };
function draw(root) {
  graph.textContent = '';
  const width = graph.clientWidth;
  let deepest = 0;
  const place = ([name, total, children], left, depth) => {
    const size = total / root[1] * width;
    if (size < 1) return;
    deepest = Math.max(deepest, depth);
    const box = document.createElement('div');
    box.style.cssText = 'left:' + left + 'px;top:' + depth * 18 + 'px;width:' + size + 'px;background:hsl(' + hue(name) + ' 65% 75%)';
    box.textContent = size > 30 ? name : '';
    box.title = name + ': ' + amount(total) + ', ' + (total / data[1] * 100).toFixed(1) + ' %';
    box.onmouseenter = () => { what.textContent = box.title; };
    box.onclick = () => draw(depth === 0 ? data : [name, total, children]);
    graph.append(box);
    let at = left;
    for (const child of children) { place(child, at, depth + 1); at += child[1] / root[1] * width; }
  };
  place(root, 0, 0);
  graph.style.height = (deepest + 1) * 18 + 'px';
}
draw(data);
addEventListener('resize', () => draw(data));
</script>
`;
}

/** Reads what a process left in \`directory\`, writes a flame graph beside it and answers the ten hottest functions as text. */
export function writeProfiles(directory: string, pid: number): string {
  const files = existsSync(directory)
    ? readdirSync(directory).filter((file) => new RegExp(`\\.${pid}\\.0\\.\\d+\\.(cpu|heap)profile$`).test(file))
    : [];
  if (files.length === 0) return `no profile: process ${pid} left none in ${directory}`;
  return files
    .map((file) => {
      const cpu = file.endsWith('.cpuprofile');
      const profile = JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile & { head: HeapNode };
      const root = cpu ? cpuCalls(profile) : heapCalls(profile);
      const page = join(directory, `${cpu ? 'cpu' : 'heap'}.html`);
      writeFileSync(
        page,
        flameGraph(root, `Coxswain, process ${pid}: ${cpu ? 'processor time' : 'memory'}`, cpu ? 'microseconds' : 'bytes'),
      );
      const lines = hottest(root).map(({ name, share }) => `${(share * 100).toFixed(1).padStart(6)} %  ${name}`);
      return `${cpu ? `processor time, ${(root.total / 1e6).toFixed(1)} s` : `memory, ${(root.total / 2 ** 20).toFixed(1)} MB`}, by function without what it calls:\n${lines.join('\n')}\nflame graph: ${page}`;
    })
    .join('\n');
}
