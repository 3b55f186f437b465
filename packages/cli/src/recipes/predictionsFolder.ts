import { encodeNpy, type Json } from '@fmri2image/core';
import { writeFolderAtomic } from '@fmri2image/node';
import type { Context } from '../context.ts';
import type { FoldRecord } from '../pipeline/folds.ts';
import { type Provenance, type ResultItem, writeIndex } from '../pipeline/results.ts';
import type { OutputFile } from '../pipeline/workFolder.ts';
import type { Terms } from '../terms.ts';
import type { BlockFolder } from './blockFolder.ts';
import { noting } from './published.ts';

/** A head whose predictions lie in a work folder. */
export interface PredictedHead {
  readonly name: string;
  readonly shape: readonly number[];
  /** What a decoder without a brain would predict: the mean of the training targets. */
  readonly targetMean: Float64Array;
}

export interface Predictions {
  readonly heads: readonly PredictedHead[];
  readonly items: readonly ResultItem[];
  readonly provenance: Provenance;
  readonly terms: Terms | undefined;
  readonly fold: FoldRecord;
  readonly run: Readonly<Record<string, Json>>;
}

/** Writes a folder of predictions: HEAD.npy and the mean training target of each head, and what each row is. */
export async function writePredictions(
  output: string,
  { heads, items, provenance, terms, fold, run }: Predictions,
  work: BlockFolder,
  { force, console, signal }: { force: boolean } & Pick<Context, 'console' | 'signal'>,
): Promise<readonly OutputFile[]> {
  await work.flush();
  const outputs = heads.map(
    ({ name, shape }): OutputFile => ({ name, file: `${name}.npy`, shape, mean: `${name}.mean.npy` }),
  );
  await writeFolderAtomic(
    output,
    async (write, adopt) => {
      for (const { name, shape, targetMean } of heads) {
        await adopt(`${name}.npy`, work.predictionFile(name));
        const data = Float32Array.from(targetMean);
        await write(`${name}.mean.npy`, encodeNpy({ dtype: 'f32', shape: [1, ...shape], data }));
      }
      await writeIndex(
        { items, kind: 'features', provenance, terms, folds: [fold], outputs, run },
        [],
        noting('reconstructions.json', write, work),
      );
    },
    { force, signal, onRepair: console.warn },
  );
  return outputs;
}
