import type { Explanation } from './explanations.ts';

/** Differences that stay, each with its reason. */
export const explained: Explanation[] = [
  {
    request: '*',
    path: 'body.*',
    upstream: null,
    coxswain: [],
    why: 'Go writes null for a list that nobody set; an empty list says the same and is a list for those who read it.',
  },
  {
    request: '*',
    path: 'body.*',
    upstream: null,
    coxswain: {},
    why: 'The same for a map that nobody set.',
  },
  {
    request: '*/apply garbage',
    path: 'body.message',
    why: 'What is wrong with a YAML text is said in the words of its reader; the line and what goes before are the same.',
  },
  {
    request: '*',
    path: 'body.columnDefinitions.*.description',
    why: "Descriptions are upstream's sentences, which are not copied.",
  },
];
