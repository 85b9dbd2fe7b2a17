import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  everything,
  formatLabelSelector,
  labelSelectorFrom,
  labelSelectorOf,
  nothing,
  parseFieldSelector,
  parseLabelSelector,
} from '#machinery/selectors';

test('label selectors: how they are written', () => {
  const cases: [string, string][] = [
    ['', ''],
    ['x=a,y=b', 'x=a,y=b'],
    ['y=b , x = a', 'x=a,y=b'],
    ['x==a', 'x==a'],
    ['x!=a', 'x!=a'],
    ['x', 'x'],
    ['!x', '!x'],
    ['x in (b,a)', 'x in (a,b)'],
    ['x notin ()', 'x notin ()'],
    ['x in (,a)', 'x in (,a)'],
    ['x in (a,)', 'x in (,a)'],
    ['x in (abc,,def)', 'x in (,abc,def)'],
    ['x=', 'x='],
    ['x>1,z<5', 'x>1,z<5'],
    ['in in (in,notin)', 'in in (in,notin)'],
    ['notin', 'notin'],
    ['!x,', 'error'],
  ];
  for (const [text, wanted] of cases)
    if (wanted === 'error') assert.throws(() => parseLabelSelector(text), text);
    else assert.equal(parseLabelSelector(text).toString(), wanted, text);
});

test('label selectors: what is wrong with them', () => {
  const cases: [string, string][] = [
    ['x in', "unable to parse requirement: found '' expected: '('"],
    ['x in (a', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['x=a=b', "found '=', expected: ',' or 'end of string'"],
    ['x,', "found '', expected: identifier after ','"],
    [',x', "found ',', expected: !, identifier, or 'end of string'"],
    ['x<a', "unable to parse requirement: values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, the value must be an integer"],
    ['a a', "unable to parse requirement: found 'a', expected: in, notin, =, ==, !=, gt, lt"],
    ['x=-', 'unable to parse requirement: values[0][x]: Invalid value: "-": a valid label must be an empty string'],
    ['-x=a', 'unable to parse requirement: <nil>: Invalid value: "-x": name part must consist of'],
  ];
  for (const [text, message] of cases)
    assert.throws(
      () => parseLabelSelector(text),
      (error: Error) => error.message.startsWith(message),
      text,
    );
});

test('label selectors: what they match', () => {
  const cases: [string, Record<string, string> | undefined, boolean][] = [
    ['', undefined, true],
    ['x=a', { x: 'a' }, true],
    ['x=a', { x: 'b' }, false],
    ['x=a', undefined, false],
    ['x!=a', undefined, true],
    ['x=', {}, false],
    ['x=', { x: '' }, true],
    ['x in (a,b)', { x: 'b' }, true],
    ['x notin (a,b)', { x: 'b' }, false],
    ['x notin (a,b)', {}, true],
    ['x', { x: '' }, true],
    ['!x', { x: '' }, false],
    ['x>1', { x: '2' }, true],
    ['x>1', { x: 'a' }, false],
    ['x<1', { x: '-9' }, true],
    ['constructor', {}, false],
    ['constructor!=a', {}, true],
    ['toString notin (a,b)', {}, true],
  ];
  for (const [text, labels, wanted] of cases)
    assert.equal(parseLabelSelector(text).matches(labels), wanted, `${text} ${JSON.stringify(labels)}`);
});

test('selectors of specs', () => {
  assert.equal(labelSelectorFrom(undefined), nothing);
  assert.equal(nothing.matches({}), false);
  assert.equal(labelSelectorFrom({}), everything);
  const selector = {
    matchLabels: { b: '1' },
    matchExpressions: [
      { key: 'c', operator: 'In', values: ['z', 'y'] },
      { key: 'a', operator: 'DoesNotExist' },
    ],
  };
  assert.equal(labelSelectorFrom(selector).toString(), '!a,b=1,c in (y,z)');
  assert.equal(formatLabelSelector(selector), '!a,b=1,c in (y,z)');
  assert.equal(formatLabelSelector({}), '<none>');
  assert.equal(formatLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Has' }] }), '<error>');
  assert.throws(() => labelSelectorFrom({ matchExpressions: [{ key: 'a', operator: 'Has' }] }), {
    message: '"Has" is not a valid label selector operator',
  });
  assert.equal(labelSelectorOf({ b: '2', a: '1' }).toString(), 'a=1,b=2');
  assert.equal(labelSelectorOf({ a: '1' }).requiresExactMatch('a'), '1');
});

test('field selectors', () => {
  const cases: [string, string | Error][] = [
    ['', ''],
    ['x=a', 'x=a'],
    ['y=b,x==a', 'x=a,y=b'],
    ['x!=a', 'x!=a'],
    ['x=', 'x='],
    ['x=a\\,b\\=c\\\\', 'x=a\\,b\\=c\\\\'],
    ['x', new Error("invalid selector: 'x'; can't understand 'x'")],
    ['x=a=b', new Error('invalid field selector: unescaped character in value: 61')],
    ['x=\\a', new Error('invalid field selector: invalid escape sequence: \\a')],
    ['x=\\', new Error('invalid field selector: invalid escape sequence: \\')],
  ];
  for (const [text, wanted] of cases)
    if (wanted instanceof Error) assert.throws(() => parseFieldSelector(text), { message: wanted.message }, text);
    else assert.equal(parseFieldSelector(text).toString(), wanted, text);
  const selector = parseFieldSelector('metadata.name=a,status.phase!=Running');
  assert.equal(selector.matches({ 'metadata.name': 'a' }), true);
  assert.equal(
    selector.matches((field) => (field === 'metadata.name' ? 'a' : 'Running')),
    false,
  );
  assert.equal(selector.requiresExactMatch('metadata.name'), 'a');
  assert.equal(selector.requiresExactMatch('status.phase'), undefined);
});
