import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rewriteHtml } from './html.ts';

const cases: [from: string, to: string][] = [
  ['<a href="/x">t</a>', '<a href="/p/proxy/x">t</a>'],
  ['<a class=b href="http://1.2.3.4:80/x?y=/z">t</a>', '<a class=b href="/p/proxy/x?y=/z">t</a>'],
  ['<a href="x">t</a><a href="//other/x">', '<a href="x">t</a><a href="//other/x">'],
  ['<a href="https://elsewhere/x">', '<a href="https://elsewhere/x">'],
  ["<img src='/i.png' alt='/i'>", "<img src='/p/proxy/i.png' alt='/i'>"],
  ['<a href="/p/proxy/x">', '<a href="/p/proxy/x">'],
];
for (const [from, to] of cases) test(`rewriteHtml: ${from}`, () => assert.equal(rewriteHtml(from, '/p/proxy', 'http://1.2.3.4:80'), to));
