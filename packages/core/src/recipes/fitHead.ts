import { finishPredictions } from '../decoders/heads/finish.ts';
import { type HeadStatistics, targetsOf } from '../decoders/heads/model.ts';
import type { BlockStatistics, StreamedRidge } from '../decoders/ridge/streamed/types.ts';
import { throwIfAborted } from '../error.ts';
import type { RunDesign, RunHead, RunOptions } from './runTypes.ts';
import type { ChosenAlphas, HeadStore } from './store.ts';

/** Streams the targets of a head through the ridge of its design, into the store. */
export async function fitHead(
  ridge: StreamedRidge,
  { head, targets }: RunHead,
  { design, groups }: RunDesign,
  alphas: ChosenAlphas | number,
  store: HeadStore,
  { keep, signal }: RunOptions,
): Promise<void> {
  const { name, renormalise } = head;
  const count = targetsOf(head);
  const isDual = ridge.form === 'dual';
  const isPredicted = keep === 'predictions';
  const isFloat64 = ridge.numerics.precision === 'f64';
  const stored = await store.head({
    name,
    shape: head.shape,
    targets: count,
    keep,
    inputs: isPredicted ? (groups?.length ?? design.test) : isDual ? design.train : design.voxels,
    // Weights of trials cancel each other where a fit is ill-conditioned; those of voxels do not.
    dtype: !isPredicted && isDual && isFloat64 ? 'f64' : 'f32',
  });
  const rows = isPredicted ? design.test : isDual ? design.train : design.voxels;
  const sink = {
    async write(from: number, to: number, values: Float32Array | Float64Array, about: BlockStatistics) {
      throwIfAborted(signal, 'fitting');
      // A resumed run begins at the boundary of a block: what is there stays.
      if (to <= stored.done) return;
      const statistics = statisticsOf(about, alphas, from, to);
      if (isPredicted) {
        const finished = finishPredictions(values, rows, { renormalise, statistics, groups });
        await stored.write(from, to, finished, statistics);
        return;
      }
      const asIs = values instanceof Float32Array || (isDual && isFloat64);
      const own = asIs ? values : Float32Array.from(values);
      await stored.write(from, to, own, statistics);
    },
  };
  const settings = {
    alphas: typeof alphas === 'number' ? alphas : alphas.alphas,
    from: stored.done,
    byTarget: true,
    // Beside dual weights they cost nothing; otherwise as much as the weights themselves.
    trainingStatistics: isPredicted ? renormalise === 'stored-training' : isDual || renormalise !== 'none',
  };
  await ridge[isPredicted ? 'predict' : ridge.form](targets, sink, settings);
}

function statisticsOf(
  { targetMean, targetStd, predictionMean, predictionStd }: BlockStatistics,
  alphas: ChosenAlphas | number,
  from: number,
  to: number,
): HeadStatistics {
  const unknown = () => new Float64Array(to - from).fill(Number.NaN);
  return {
    alpha:
      typeof alphas === 'number' ? new Float64Array(to - from).fill(alphas) : alphas.alphas.slice(from, to),
    target_mean: targetMean,
    target_std: targetStd,
    prediction_mean: predictionMean ?? unknown(),
    prediction_std: predictionStd ?? unknown(),
  };
}
