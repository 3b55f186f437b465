import { expect, it } from 'vitest';
import { randomModel } from '../conformance/index.ts';
import {
  type BackendInfo,
  clipConverter,
  linear,
  loadNetwork,
  matchWeights,
  ReferenceBackend,
} from '../src/index.ts';
import { errorOf } from './data/helpers/errors.ts';
import { sizes } from './weights/sizes.ts';

/** The reference, with buffers of a size. */
class Limited extends ReferenceBackend {
  override readonly info: BackendInfo;

  constructor(maxBufferBytes: number) {
    super();
    this.info = { device: 'reference', description: 'limited', rejected: [], maxBufferBytes };
  }
}

const SIZES = sizes({ tokens: 10, tokensOut: 1000, clip: 4, clipOut: 3 });
const source = randomModel(clipConverter, SIZES, { dtype: 'bf16' });
const matched = matchWeights(source, clipConverter);

it('matrices come in shards that fit the buffers of the device, and mean the same', async () => {
  const [whole, limited] = [new Limited(2 ** 30), new Limited(4000)];
  const results: unknown[] = [];
  for (const [backend, shards] of [
    [whole, 1],
    [limited, 5],
  ] as const) {
    const network = await loadNetwork(source, matched, backend);
    const pieces = network.matrix('linear1.weight');
    expect(pieces).toHaveLength(shards);
    expect(pieces.every(({ byteLength }) => byteLength <= backend.info.maxBufferBytes!)).toBe(true);
    const x = backend.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 10]);
    results.push(await linear(x, pieces).download());
    network.dispose();
    await backend.dispose();
  }
  expect(results[0]).toEqual(results[1]);
});

it('at most 32 of them; beyond that the model does not fit, and what was loaded is freed', async () => {
  const backend = new Limited(640);
  const loading = loadNetwork(source, matched, backend, { wanted: (name) => name !== 'linear1.bias' });
  const network = await loading;
  expect(network.matrix('linear1.weight')).toHaveLength(32);
  network.dispose();
  const small = new Limited(639);
  const error = await errorOf(loadNetwork(source, matched, small));
  expect(error).toMatchObject({
    code: 'OUT_OF_MEMORY',
    field: 'linear1.weight',
    expected: 'at most 639 bytes in each of 32 buffers',
    found: '20000 bytes',
  });
  await small.sync();
  expect(small.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
});

it('a weight beyond the type is named', async () => {
  const bad: typeof source = {
    ...source,
    readElements: async (_, start, end) => new Uint16Array(end - start).fill(0x7f00),
  };
  const backend = new Limited(2 ** 30);
  const error = await errorOf(loadNetwork(bad, matched, backend, { precision: 'f16' }));
  expect(error).toMatchObject({ code: 'FORMAT', field: 'linear1.weight' });
  expect(error.message).toMatch(/65504/);
  expect(backend.stats().liveTensors).toBe(0);
});
