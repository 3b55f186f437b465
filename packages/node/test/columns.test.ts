import { afterAll, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  CpuBackend,
  cast,
  columnStats,
  concat,
  createReferenceBackend,
  gather,
  gemm,
  gram,
  permute,
  slice,
  softmax,
  sub,
  type Tensor,
} from '../src/index.ts';

const cpu = new CpuBackend({ threads: 2 });
const reference = createReferenceBackend();
afterAll(async () => {
  await cpu.dispose();
  await reference.dispose();
});

const numbers = (rows: number, columns: number) =>
  Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i + 1));

/** Ops that read a view where it lies, and ops that copy it; as the first operand and as another one. */
const OPS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  mean: (x) => columnStats(x).mean,
  std: (x) => columnStats(x).std,
  'sub of a row': (x) => sub(x, columnStats(x).mean),
  'add with itself': (x) => add(x, x),
  'a b': (x) => gemm(x, x, { transB: true }),
  'aᵀ b': (x) => gemm(x, x, { transA: true }),
  'gram of rows': (x) => gram(x),
  'gram of columns': (x) => gram(x, { of: 'columns' }),
  slice: (x) => slice(x, 1, 1, 3),
  'slice of rows': (x) => slice(x, 0, 1, 3),
  softmax: (x) => softmax(x),
  cast: (x) => cast(x, 'f64'),
  'gather of rows': (x) => gather(x, { rows: [7, 0, 7] }),
  'gather of both': (x) => gather(x, { rows: [8, 2], cols: [4, 0] }),
  permute: (x) => permute(x, [1, 0]),
  concat: (x) => concat([x, x], 0),
  rows: (x) => add(x.rows(2, 7), 1),
  columns: (x) => softmax(x.columns(1, 4)),
};

describe.each([
  [9, 30],
  [70, 200],
])('columns of a matrix of %i rows and %i columns', (rows, columns) => {
  it.each(Object.entries(OPS))('%s: as of a copy', async (_, op) => {
    for (const backend of [cpu, reference] as Backend[]) {
      const x = backend.tensor(numbers(rows, columns), [rows, columns]);
      for (const [start, end] of [
        [0, 5],
        [7, columns - 1],
        [0, columns],
      ] as const) {
        const view = x.columns(start, end);
        const copy = slice(x, 1, start, end);
        expect(view.shape).toEqual(copy.shape);
        const [viewed, copied] = [op(view), op(copy)];
        expect(viewed.shape).toEqual(copied.shape);
        expect(await viewed.download()).toEqual(await copied.download());
        expect(await view.download()).toEqual(await copy.download());
        for (const tensor of [view, copy, viewed, copied]) tensor.dispose();
      }
      x.dispose();
    }
  });
});

it('a view keeps the memory', async () => {
  const live = cpu.stats().liveTensors;
  const x = cpu.tensor(numbers(6, 8), [6, 8]);
  const view = x.columns(2, 5);
  x.dispose();
  expect([...(await view.download())].map((value) => value.toFixed(4))).toEqual(
    Array.from({ length: 18 }, (_, i) => {
      const place = Math.floor(i / 3) * 8 + 2 + (i % 3);
      return Math.fround(Math.sin(place * place + 1)).toFixed(4);
    }),
  );
  view.dispose();
  expect(cpu.stats().liveTensors).toBe(live);
});

it('a view has other shapes as a dense copy, and parts', async () => {
  for (const backend of [cpu, reference] as Backend[]) {
    const live = backend.stats().liveTensors;
    const x = backend.tensor(numbers(6, 8), [6, 8]);
    const view = backend.scope(() => x.columns(2, 5).rows(1, 5));
    const copy = backend.scope(() => slice(slice(x, 1, 2, 5), 0, 1, 5));
    x.dispose();
    const shapes = [[3, 4], [12], [2, 1, 6], [4, 3]];
    const reshaped = shapes.map((shape) => view.reshape(...shape));
    view.dispose();
    for (const [i, tensor] of reshaped.entries()) {
      expect(tensor.shape).toEqual(shapes[i]);
      expect(tensor.rowStride).toBeUndefined();
      const same = copy.reshape(...shapes[i]!);
      expect(await tensor.download()).toEqual(await same.download());
      // An op that reads rows of it.
      const [some, alike] = backend.scope(() => [tensor, same].map((each) => softmax(each.rows(0, 2))));
      expect(await some!.download()).toEqual(await alike!.download());
      for (const each of [tensor, same, some!, alike!]) each.dispose();
    }
    copy.dispose();
    expect(backend.stats().liveTensors).toBe(live);
  }
});

it('refuses what has no such columns, alike on every device', () => {
  for (const backend of [cpu, reference] as Backend[]) {
    const x = backend.tensor(numbers(6, 8), [6, 8]);
    const view = x.columns(2, 5);
    const live = backend.stats().liveTensors;
    for (const shape of [[48], [2, 3, 8], [1, 6, 8]]) {
      const tensor = x.reshape(...shape);
      expect(() => tensor.columns(0, 1)).toThrow(
        `columns: not a matrix; expected two axes; slice(x, axis, start, end) takes parts of others, found f32[${shape.join(', ')}]`,
      );
      tensor.dispose();
    }
    expect(() => view.columns(2, 4)).toThrow(/0 <= start <= end <= 3/);
    expect(() => view.columns(0.5, 2)).toThrow(/0 <= start <= end <= 3/);
    expect(() => view.reshape(5, 4)).toThrow(/18 elements/);
    expect(backend.stats().liveTensors).toBe(live);
    x.dispose();
    expect(() => x.columns(0, 1)).toThrow(/after dispose/);
    view.dispose();
    expect(() => view.reshape(18)).toThrow(/after dispose/);
    expect(backend.stats().liveTensors).toBe(live - 2);
  }
});

it('graphs take views of columns and give them, as copies', async () => {
  const recordless = new CpuBackend({ threads: 1, graphs: false });
  for (const backend of [cpu, recordless, reference] as Backend[]) {
    const live = backend.stats().liveTensors;
    const x = backend.tensor(numbers(6, 8), [6, 8]);
    const [a, b] = [x.columns(2, 5), x.columns(4, 7)];
    const copies = [slice(x, 1, 2, 5), slice(x, 1, 4, 7)];
    // What a body is given is dense on every device.
    const graph = backend.graph(([y]) => [y!.columns(1, 3), y!.reshape(18)]);
    for (const [i, view] of [a, b].entries()) {
      const [columns, whole] = graph.launch([view]);
      const [flat, part] = [columns!.reshape(12), slice(copies[i]!, 1, 1, 3)];
      expect(await flat.download()).toEqual(await part.download());
      expect(await whole!.download()).toEqual(await copies[i]!.download());
      for (const tensor of [columns!, whole!, flat, part]) tensor.dispose();
    }
    graph.dispose();
    for (const tensor of [x, a, b, ...copies]) tensor.dispose();
    expect(backend.stats().liveTensors).toBe(live);
  }
  await recordless.dispose();
});
