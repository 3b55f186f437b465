import type { Values } from '../data/matrix/matrix.ts';
import { finishPredictions } from '../decoders/heads/finish.ts';
import { type HeadStatistics, targetsOf } from '../decoders/heads/model.ts';
import type { BlockStatistics, StreamedRidge, StreamedSink } from '../decoders/ridge/streamed/types.ts';
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
  const isDual = ridge.form === 'dual';
  const keepsWeights = keep !== 'predictions';
  // Weights of trials cancel each other where a fit is ill-conditioned; those of voxels do not.
  const dtype = isDual && ridge.numerics.precision === 'f64' ? 'f64' : 'f32';
  const stored = await store.head({
    name,
    shape: head.shape,
    targets: targetsOf(head),
    weights: keepsWeights ? { inputs: isDual ? design.train : design.voxels, dtype } : undefined,
    predictions: keep === 'weights' ? undefined : { rows: groups?.length ?? design.test },
  });
  const finished = (values: Values, statistics: HeadStatistics) =>
    finishPredictions(values, design.test, { renormalise, statistics, groups });
  /** A resumed run begins at the boundary of a block: what is there stays. */
  const sinkOf = (
    take: (from: number, to: number, values: Values, own: HeadStatistics) => Promise<void>,
  ) => ({
    async write(from: number, to: number, values: Values, about: BlockStatistics) {
      throwIfAborted(signal, 'fitting');
      if (to > stored.done) await take(from, to, values, statisticsOf(about, alphas, from, to));
    },
  });
  const settings = {
    alphas: typeof alphas === 'number' ? alphas : alphas.alphas,
    from: stored.done,
    byTarget: true,
    // Beside dual weights they cost nothing; otherwise as much as the weights themselves.
    trainingStatistics: keepsWeights ? isDual || renormalise !== 'none' : renormalise === 'stored-training',
  };
  if (!keepsWeights) {
    const sink = sinkOf((from, to, values, own) =>
      stored.write(from, to, { predictions: finished(values, own) }, own),
    );
    await ridge.predict(targets, sink, settings);
    return;
  }
  // Of a block, predictions come before the weights; both are stored as one.
  let beside: Float32Array | undefined;
  const predictions: StreamedSink | undefined =
    keep === 'both'
      ? sinkOf(async (_from, _to, values, own) => {
          beside = finished(values, own);
        })
      : undefined;
  const weights = sinkOf((from, to, values, own) => {
    const asIs = values instanceof Float32Array || dtype === 'f64';
    return stored.write(
      from,
      to,
      { weights: asIs ? values : Float32Array.from(values), predictions: beside },
      own,
    );
  });
  await ridge[ridge.form](targets, weights, { ...settings, predictions });
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
