import { describe, expect, it } from 'vitest';
import {
  createRandom,
  type RenormaliseOptions,
  type Rows,
  renormalise,
  rowStatistics,
} from '../src/index.ts';

const random = createRandom(1);
const rows = (n: number, shape: number[], spread = 1, offset = 0): Rows => ({
  data: random.normals(n * shape.reduce((a, b) => a * b)).map((value) => spread * value + offset),
  shape: [n, ...shape],
});
const truth = rows(40, [2, 3], 3, 7);
const training = rows(40, [2, 3], 0.2, 6);
const test = rows(9, [2, 3], 0.3, 6.5);
const targets = rowStatistics(truth);
const stored = { by: 'stored-training', targets, predictions: rowStatistics(training) } as const;
const transductive = { by: 'test-predictions', targets } as const;

const row = ({ data, shape: [, a = 1, b = 1] }: Rows, i: number): Rows => ({
  data: data.slice(i * a * b, (i + 1) * a * b),
  shape: [1, a, b],
});

describe('rowStatistics', () => {
  it('are the mean and the standard deviation of divisor n', () => {
    const { mean, std } = rowStatistics({ data: Float64Array.of(1, 10, 3, 10, 8, 10), shape: [3, 2] });
    expect([...mean]).toEqual([4, 10]);
    expect(std[0]).toBeCloseTo(Math.sqrt(26 / 3), 12);
    expect(std[1]).toBe(0);
  });

  it('of equal rows have no spread, whatever the value', () => {
    const { mean, std } = rowStatistics({ data: new Float64Array(21).fill(0.1), shape: [7, 3] });
    expect([...std]).toEqual([0, 0, 0]);
    expect([...mean]).toEqual([0.1, 0.1, 0.1]);
  });
});

describe('renormalise', () => {
  it('by test-predictions gives the test set the mean and spread of the training targets', () => {
    const { rows: result, step } = renormalise(test, transductive);
    expect(result.shape).toEqual([9, 2, 3]);
    const { mean, std } = rowStatistics(result);
    mean.forEach((value, i) => void expect(value).toBeCloseTo(targets.mean[i]!, 10));
    std.forEach((value, i) => void expect(value).toBeCloseTo(targets.std[i]!, 10));
    expect(step.sawTest).toBe('yes');
    expect(step.note).toMatch(/^transductive/);
  });

  it('by stored-training maps training predictions onto the targets, and each trial by itself', () => {
    const { mean, std } = rowStatistics(renormalise(training, stored).rows);
    mean.forEach((value, i) => void expect(value).toBeCloseTo(targets.mean[i]!, 10));
    std.forEach((value, i) => void expect(value).toBeCloseTo(targets.std[i]!, 10));
    const whole = renormalise(test, stored).rows;
    for (let i = 0; i < 9; i++) {
      expect(renormalise(row(test, i), stored).rows.data).toEqual(row(whole, i).data);
    }
    expect(renormalise(test, stored).step).toMatchObject({ sawTest: 'unknown', runs: [] });
    const known = renormalise(test, { ...stored, sawTest: 'no', runs: ['1', '2'] }).step;
    expect(known).toMatchObject({ sawTest: 'no', runs: ['1', '2'] });
    expect(known.note).not.toMatch(/transductive/);
  });

  it('tells them apart: only test-predictions let one trial change another', () => {
    const changed: Rows = { ...test, data: test.data.map((value, i) => (i < 6 ? value + 1 : value)) };
    const last = (predictions: Rows, options: RenormaliseOptions) =>
      row(renormalise(predictions, options).rows, 8).data;
    expect(last(changed, stored)).toEqual(last(test, stored));
    expect(last(changed, transductive)).not.toEqual(last(test, transductive));
  });

  it('puts values that do not vary at the mean of the targets, and keeps float32', () => {
    const constant: Rows = { data: new Float32Array(12).fill(0.1), shape: [2, 2, 3] };
    const { rows: result } = renormalise(constant, transductive);
    expect(result.data).toEqual(Float32Array.from([...targets.mean, ...targets.mean]));
    expect(constant.data[0]).toBe(Math.fround(0.1));
  });

  const short = { mean: new Float64Array(5), std: new Float64Array(5) };
  const broken = { mean: targets.mean, std: targets.std.map((value, i) => (i === 2 ? -value : value)) };
  const lost: Rows = { ...test, data: test.data.map((value, i) => (i === 4 ? Number.NaN : value)) };
  it.each<[string, string, Rows, RenormaliseOptions]>([
    ['one trial alone', 'predictions', row(test, 0), transductive],
    ['an unknown way', 'by', test, { by: 'test', targets } as never],
    ['targets of another size', 'targets.mean', test, { ...transductive, targets: short }],
    ['stored statistics of another size', 'predictions.mean', test, { ...stored, predictions: short }],
    ['no stored statistics', 'predictions.mean', test, { by: 'stored-training', targets } as never],
    ['a negative spread', 'targets.std', test, { ...transductive, targets: broken }],
    ['NaN predictions', 'predictions.mean', lost, transductive],
    ['a shape that is none', 'predictions', { ...test, shape: [9, 5] }, transductive],
  ])('refuses %s', (_, field, predictions, options) => {
    const refused = () => renormalise(predictions, options);
    expect(refused).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });
});
