import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonSyntaxError } from './json-error.ts';

test("jsonSyntaxError() says what is wrong in Go's words", () => {
  const cases: [string, string | undefined][] = [
    ['{"a":[1,-2.5e3,"x\\u00e9",true,null]}', undefined],
    ['', 'unexpected end of JSON input'],
    ['{"a":', 'unexpected end of JSON input'],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['{} x', "invalid character 'x' after top-level value"],
    ['trie', "invalid character 'i' in literal true (expecting 'u')"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['"a\nb"', String.raw`invalid character '\n' in string literal`],
    [': x', "invalid character ':' looking for beginning of value"],
  ];
  for (const [text, wanted] of cases) assert.equal(jsonSyntaxError(text), wanted, text);
});
