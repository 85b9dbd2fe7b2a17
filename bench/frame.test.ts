import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure, median, ratio, table } from './frame.ts';

test('median() of odd and even counts', () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('ratio() says how many times better ours is, whichever way the figure counts', () => {
  assert.equal(ratio({ title: '', unit: '', better: 'more' }, [200], [100]), 2);
  assert.equal(ratio({ title: '', unit: '', better: 'less' }, [200], [100]), 0.5);
  assert.equal(ratio({ title: '', unit: '', better: 'less' }, [200], []), undefined);
});

test('measure() lets the sides take turns and leaves the warm-up out', async () => {
  const order: string[] = [];
  const side = (name: string, value: number) => ({
    name,
    run: async (round: number) => {
      order.push(`${name}${round}`);
      return { rate: value + round };
    },
  });
  const result = await measure({
    name: 'x',
    title: 'X',
    figures: { rate: { title: 'rate', unit: '1/s', better: 'more' } },
    sides: [side('a', 20), side('b', 10)],
    rounds: 2,
  });
  assert.deepEqual(order, ['a-1', 'b-1', 'a0', 'b0', 'a1', 'b1']);
  assert.deepEqual(result.values, { a: { rate: [20, 21] }, b: { rate: [10, 11] } });
  assert.match(table(result), /\| rate \| 1\/s \| 20\.5 \(20\.0–21\.0\) \| 10\.5 \(10\.0–11\.0\) \| 1\.95 \|/);
});
