import { noiseCeilingOf, type PatternForm, patternMap, type Recording, weightMap } from '@fmri2image/core';
import type { Context } from '../context.ts';
import { type BundleReadout, namedTargets, targetsInWords } from './bundle.ts';
import { type MadeMap, WEIGHTS_CAUTION } from './made.ts';

/** Weights and pattern of a read-out. */
export async function readoutMaps(
  { model, readout, columns, design, without, warnings }: BundleReadout,
  { target, form }: { target?: readonly string[] | undefined; form?: PatternForm | undefined },
  { backend, signal, console }: Context,
): Promise<{ maps: MadeMap[]; notes: string[] }> {
  const targets = namedTargets(model, target);
  const of = target ? ` of ${targetsInWords(target)}` : '';
  console.progress('weights');
  const weights = await weightMap(readout, { backend, signal, targets });
  const maps: MadeMap[] = [
    {
      ...weights,
      name: 'weights',
      title: `Weights${of}`,
      scale: weights.combine === 'sum' ? 'diverging' : 'sequential',
      caution: WEIGHTS_CAUTION,
      columns,
      details: { Targets: target ?? 'all' },
    },
  ];
  const notes = [...warnings];
  if (without !== undefined) {
    notes.push(`no pattern could be made: ${without}`);
    return { maps, notes };
  }
  console.progress('pattern');
  const pattern = await patternMap(readout, { backend, signal, targets, form, design });
  maps.push({
    ...pattern,
    name: 'pattern',
    title: `Activation pattern${of}`,
    scale: pattern.combine === 'sum' ? 'diverging' : 'sequential',
    columns,
    details: { Targets: target ?? 'all' },
  });
  return { maps, notes };
}

/** Noise ceiling of the voxels, from repeated presentations. */
export async function ceilingMaps(
  recording: Recording,
  zscore: 'session' | 'none',
  { signal, console }: Context,
): Promise<{ maps: MadeMap[]; notes: string[] }> {
  const { trials } = recording;
  const ceiling = await noiseCeilingOf(
    {
      trials: trials.length,
      voxels: recording.voxels,
      readTrials: (...args) => recording.readTrials(...args),
    },
    trials.map(({ stimulus }) => stimulus),
    {
      sessions: zscore === 'session' ? trials.map(({ session }) => session) : undefined,
      signal,
      onProgress: ({ done, total }) => console.progress('noise ceiling', done / total),
    },
  );
  if (!ceiling) return { maps: [], notes: ['no noise ceiling: no stimulus was presented twice'] };
  const { counts, meanInverse } = ceiling;
  const presented = Object.entries(counts).map(
    ([n, stimuli]) => `${stimuli} stimuli ${n === '1' ? 'once' : `${n} times`}`,
  );
  const details = {
    Presentations: counts,
    MeanInverse: meanInverse,
    Trials: ceiling.trials,
    ZScored: zscore,
  };
  const shared = { scale: 'sequential', columns: undefined, notes: [], details } as const;
  const numbers = Object.keys(counts).map(Number);
  const most = Math.max(...numbers);
  const ofAll = `all ${Object.values(counts).reduce((sum, stimuli) => sum + stimuli, 0)} stimuli`;
  // Scored rows are as a rule those of most presentations: averages of others have another ceiling.
  const ofRepeated =
    numbers.length > 1 ? `; of averages over ${most} alone it is 100 ncsnr² / (ncsnr² + 1/${most})` : '';
  const from = `from ${ceiling.trials} trials: ${presented.join(', ')}`;
  return {
    notes: [],
    maps: [
      {
        ...shared,
        name: 'ncsnr',
        title: 'Noise ceiling signal-to-noise ratio',
        values: Float32Array.from(ceiling.ncsnr),
        units: 'standard deviation of the signal over that of the noise',
        description: `how far responses to different stimuli differ, over how far responses to the same one do (Allen et al. 2022), ${from}`,
      },
      {
        ...shared,
        name: 'noiseceiling',
        title: 'Noise ceiling of single trials',
        values: Float32Array.from(ceiling.singleTrial),
        units: 'percent of the variance',
        description:
          'the share of the variance of a single response that the stimulus explains, 100 ncsnr² / (ncsnr² + 1): no model predicts more',
      },
      {
        ...shared,
        name: 'noiseceilingaveraged',
        title: 'Noise ceiling of averages',
        values: Float32Array.from(ceiling.averaged),
        units: 'percent of the variance',
        description: `the same for responses that are averaged over the presentations of each stimulus, 100 ncsnr² / (ncsnr² + ${Number(meanInverse.toPrecision(4))}): the mean of 1 / presentations over ${ofAll}${ofRepeated}`,
      },
    ],
  };
}
