import type { OpenedWeights } from '../bundle/open.ts';
import { didYouMean } from '../data/study/nearest.ts';
import { type DesignConfig, designTensor, headsConfig, headTensor } from '../decoders/heads/model.ts';
import { F2iError } from '../error.ts';
import type { Readout } from './readout.ts';
import { unitOfDesign } from './unit.ts';

/** A read-out of some of the voxels of a recording. */
export interface HeadReadout {
  readonly readout: Readout;
  /** Columns of the betas that its voxels are. */
  readonly columns: Int32Array;
  /** Where repeats were averaged; averaged rows come by ascending stimulus, single ones in order of time. */
  readonly average: DesignConfig['average'];
}

/**
 * One head of a bundle of ridge heads, read from disk block by block.
 *
 * @param head its name; the first when absent
 * @param file where the description lies, for errors
 * @throws USAGE for a head that there is not, naming those there are
 */
export async function readoutOfHead(
  { model, weights }: Pick<OpenedWeights, 'model' | 'weights'>,
  head: string | undefined,
  file: string,
): Promise<HeadReadout> {
  const config = headsConfig(model, file);
  const found = head === undefined ? config.heads[0]! : config.heads.find(({ name }) => name === head);
  if (!found) {
    const known = config.heads.map(({ name }) => name);
    throw new F2iError('USAGE', `the bundle has no such head${didYouMean(head!, known)}`, {
      file,
      field: 'head',
      expected: known.join(', '),
      found: head!,
    });
  }
  const design = config.designs[found.design]!;
  const vector = async (part: 'columns' | 'voxel_std') =>
    (await weights.read(designTensor(found.design, part))).data;
  const name = headTensor(found.name, 'weights');
  const training = designTensor(found.design, 'training_voxels');
  const targets = found.shape.reduce((product, extent) => product * extent, 1);
  const rows = found.storage === 'dual' ? design.rows : design.voxels;
  return {
    columns: (await vector('columns')) as Int32Array,
    average: design.average,
    readout: {
      voxels: design.voxels,
      lags: 1,
      targets,
      form: found.storage,
      intercept: design.intercept,
      scale: (await vector('voxel_std')) as Float32Array,
      unit: unitOfDesign(config.normalisation, design.unitVoxels, isBanded(model.report, found.name)),
      async weights(columns, signal) {
        const block = new Float64Array(rows * columns.length);
        for (const { from, to, at } of stretchesOf(columns)) {
          const { data } = await weights.readRows(name, from, to, signal);
          place(data as Float32Array, block, rows, columns.length, at, to - from);
        }
        return block;
      },
      async alphas(columns) {
        const { data } = await weights.read(headTensor(found.name, 'alpha'));
        return Float64Array.from(columns, (column) => (data as Float64Array)[column]!);
      },
      design:
        found.storage === 'dual'
          ? {
              rows: design.rows,
              async read(from, to, signal) {
                const { data } = await weights.readRows(training, from, to, signal);
                const block = new Float32Array(design.rows * (to - from));
                place(data as Float32Array, block, design.rows, to - from, 0, to - from);
                return block;
              },
            }
          : undefined,
    },
  };
}

/** Whether the voxels of a head have penalties by bands. */
const isBanded = ({ headBands }: OpenedWeights['model']['report'], head: string): boolean =>
  typeof headBands === 'object' && headBands !== null && Object.hasOwn(headBands, head);

/** Transposes rows [count, rows] into columns of a block [rows, width], from column `at`. */
function place(
  data: ArrayLike<number>,
  block: Float32Array | Float64Array,
  rows: number,
  width: number,
  at: number,
  count: number,
): void {
  for (let k = 0; k < count; k++)
    for (let row = 0; row < rows; row++) block[row * width + at + k] = data[k * rows + row]!;
}

/** Runs of successive numbers: [from, to) and where they stand in the list. */
function stretchesOf(list: Int32Array): { from: number; to: number; at: number }[] {
  const found: { from: number; to: number; at: number }[] = [];
  list.forEach((value, at) => {
    const last = found.at(-1);
    if (last && last.to === value) last.to++;
    else found.push({ from: value, to: value + 1, at });
  });
  return found;
}
