import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createRandom, createReferenceBackend } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { prepareCase } from '../src/cases.ts';
import { checkLayer, layers } from '../src/layers.ts';
import { type BenchShape, readShapes } from '../src/shape.ts';

const folder = fileURLToPath(new URL('../shapes', import.meta.url));
const ours = readdirSync(folder).flatMap((file) => {
  const op = file.slice(0, -'.json'.length);
  return op in layers ? readShapes(folder, [op]) : [];
});

/** The same shape, small enough for the reference: what must divide still does. */
function small(shape: BenchShape): BenchShape {
  const sizes: Record<string, number> = {
    groups: 4,
    c: 8,
    k: 3,
    stride: 2,
    padding: 1,
    factor: 2,
    start: 2,
    pairs: 3,
  };
  const limit: Record<string, number> = { h: 13, w: 11, d: 10, b: 2 };
  const extents = Object.entries(shape.extents).map(([name, extent]) => [
    name,
    name in sizes ? Math.min(extent, sizes[name]!) : Math.min(extent, limit[name] ?? 14),
  ]);
  return { ...shape, extents: Object.fromEntries(extents) };
}

it('every shape of an op of networks has a plan', () => {
  expect(new Set(ours.map(({ op }) => op))).toEqual(new Set(Object.keys(layers)));
});

it.each(ours.map((shape) => [`${shape.op}: ${shape.about}`, small(shape)] as const))(
  'checks %s',
  async (_, shape) => {
    const backend = createReferenceBackend();
    const measured = prepareCase(shape, backend, 5);
    expect(measured.refusal).toBeUndefined();
    expect(await measured.check()).toBeLessThanOrEqual(1);
    measured.dispose();
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
  },
);

it('finds a result that is off by a thousandth', async () => {
  const shape = small(ours.find(({ op }) => op === 'linear')!);
  const backend = createReferenceBackend();
  const operand = (...extents: number[]) => ({
    data: Float32Array.from(createRandom(1).normals(extents.reduce((a, b) => a * b, 1))),
    shape: extents,
  });
  const make = { normal: operand, brief: operand, definite: operand, triangular: operand };
  const layer = layers.linear!(shape, make);
  const tensors = layer.inputs.map((each) => each && backend.tensor(each.data, each.shape));
  const y = await layer.run(tensors, backend)[0]!.download();
  expect(await checkLayer(layer, shape, [y], createRandom(2))).toBeLessThanOrEqual(1);
  const spoilt = (y as Float32Array).map((value) => value * 1.001);
  expect(await checkLayer(layer, shape, [spoilt], createRandom(2))).toBeGreaterThan(10);
  await backend.dispose();
});
