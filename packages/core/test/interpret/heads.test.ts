import { expect, it } from 'vitest';
import {
  arrange,
  bytesSource,
  createReferenceBackend,
  designOf,
  type Folder,
  fitHeads,
  headsBundle,
  headsContents,
  memoryHeadStore,
  openBundleWeights,
  packRecording,
  patternMap,
  type Recipe,
  readoutOfHead,
  saveBundle,
  unitRows,
  weightMap,
} from '../../src/index.ts';
import { HEAD, sourceIn } from '../recipes/simulated.ts';
import { sketchRecording } from '../recording/helpers.ts';

const backend = createReferenceBackend();
const VOXELS = 7;

/** Weights and pattern of a head fitted on a recording whose betas are so many times larger. */
async function mapsOf(normalisation: 'none' | 'train' | 'session-train', times: number, unitVoxels = false) {
  const change = (data: Float32Array) => {
    for (let i = 0; i < data.length; i++) data[i]! *= times;
  };
  const packed = await packRecording(sketchRecording({ voxels: VOXELS, change }));
  const arrangement = arrange(packed, { split: 'split' });
  const plain = designOf(packed, arrangement, normalisation);
  const design = unitVoxels ? await unitRows(plain) : plain;
  const pictures = Int32Array.from(arrangement.train, ({ stimulus }) => stimulus);
  const rows = Int32Array.from(pictures.keys());
  const targets = Float64Array.from(rows, (row) => Math.sin(row) + pictures[row]! / 40);
  // The penalty is in the square of the responses' unit.
  const alpha = normalisation === 'none' && !unitVoxels ? 10 * times ** 2 : 10;
  const heads = [
    {
      head: { ...HEAD, alpha, unitVoxels },
      targets: { source: sourceIn(targets, rows.length, [1]), train: rows },
    },
  ];
  const run = { design, pictures, intercept: true, heads };
  const store = memoryHeadStore();
  const outcome = await fitHeads([run], store, {
    backend,
    keep: 'weights',
    precision: 'f64',
    storage: 'dual',
  });
  const columns = Int32Array.from({ length: VOXELS }, (_, voxel) => voxel);
  const recipe = {
    name: 'custom',
    split: 'split',
    normalisation,
    testAverage: 'none',
    quirks: [],
    inferred: [],
  };
  const described = {
    recipe: { ...recipe, heads: heads.map(({ head }) => head) } as unknown as Recipe,
    designs: [{ ...run, roi: 'all', average: 'none' as const, unitVoxels, columns }],
    outcome,
    input: { voxels: VOXELS },
    runs: [],
    ledger: [],
    report: {},
  };
  const contents = headsContents(await headsBundle(described, store.statistics), store.matrices);
  const files = new Map<string, Uint8Array>();
  await saveBundle({ toBundle: () => contents }, async (path, bytes) => void files.set(path, bytes));
  const folder: Folder = {
    name: 'bundle',
    list: async () => [...files.keys()],
    open: async (path) => bytesSource(files.get(path)!, path),
  };
  const { readout } = await readoutOfHead(await openBundleWeights(folder), undefined, 'model.json');
  return { weights: await weightMap(readout, { backend }), pattern: await patternMap(readout, { backend }) };
}

it.each([
  ['none', false, 100, 'unit of response'],
  ['train', false, 1, 'standard deviation of the voxel’s response over the training rows'],
  ['session-train', false, 1, 'standard deviation of the voxel’s response within its session'],
  ['none', true, 1, 'unit of response in rows of length 1'],
] as const)(
  'maps of a head are in the unit that they state: %s, rows of length 1 %s',
  async (...expected) => {
    const [normalisation, unitVoxels, factor, unit] = expected;
    const [once, hundred] = [
      await mapsOf(normalisation, 1, unitVoxels),
      await mapsOf(normalisation, 100, unitVoxels),
    ];
    expect(once.weights.units).toContain(`units of the target per ${unit}`);
    expect(once.pattern.units).toContain(unit.replace(/^unit|^standard deviation/, '$&s'));
    // What is in the unit of the responses follows it; what was divided by it does not.
    for (let voxel = 0; voxel < VOXELS; voxel++) {
      expect(Math.abs(once.weights.values[voxel]!)).toBeGreaterThan(1e-4);
      expect(hundred.weights.values[voxel]! / once.weights.values[voxel]!).toBeCloseTo(1 / factor, 4);
      expect(hundred.pattern.values[voxel]! / once.pattern.values[voxel]! / factor).toBeCloseTo(1, 2);
    }
  },
);
