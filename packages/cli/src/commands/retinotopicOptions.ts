import {
  RETINOTOPIC_DEFAULTS as DEFAULTS,
  PRF_MODELS,
  type PrfModel,
  type RetinotopicDecoderOptions,
} from '@fmri2image/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { numberList, wholeNumber } from '../options.ts';

/** Options of the retinotopic decoder; docs/retinotopic.md explains them. */
export interface RetinotopicFlags {
  prf?: PrfModel;
  hrf?: 'fitted' | 'canonical';
  guard?: number;
  voxelThreshold?: number;
  maximumVoxels?: number;
  signed?: boolean;
  bounds?: RetinotopicDecoderOptions['bounds'];
  noiseCorrelation?: number[];
  ridgePenalty?: number[];
  smoothTime?: number[];
  smoothSpace?: number[];
  drift?: number;
  blockDrift?: number[];
}

const BOUNDS = ['none', 'non-negative', 'range'] as const;

/** What holds where the option is not given; core decides, as these have no default of their own. */
const unless = (setting: keyof typeof DEFAULTS) => `(default: ${[DEFAULTS[setting]].flat().join(',')})`;

export function withRetinotopic(command: Command): Command {
  return command
    .optionsGroup('Retinotopic decoder:')
    .addOption(
      new Option('--prf <model>', `retinotopic: model of receptive fields ${unless('prf')}`).choices([
        ...PRF_MODELS,
      ]),
    )
    .addOption(
      new Option('--hrf <choice>', `retinotopic: response function ${unless('hrf')}`).choices([
        'fitted',
        'canonical',
      ]),
    )
    .option(
      '--guard <seconds>',
      `retinotopic: leave out training volumes so soon after frames that are not training ${unless('guardSeconds')}`,
      atLeastZero,
    )
    .option(
      '--voxel-threshold <r>',
      `retinotopic: least training correlation of a voxel ${unless('threshold')}`,
      atLeastZero,
    )
    .option(
      '--maximum-voxels <n>',
      `retinotopic: use the n best ones at most ${unless('maximumVoxels')}`,
      wholeNumber,
    )
    .option('--signed', 'retinotopic: voxels may also respond negatively')
    .addOption(
      new Option('--bounds <range>', `retinotopic: of pixels ${unless('bounds')}`).choices([...BOUNDS]),
    )
    .option(
      '--noise-correlation <list>',
      `retinotopic: share of correlated noise to choose from, 0 up to 1 ${unless('noiseCorrelation')}`,
      zeroOrMore,
    )
    .option(
      '--ridge-penalty <list>',
      `retinotopic: penalties on pixels to choose from ${unless('ridge')}`,
      zeroOrMore,
    )
    .option(
      '--smooth-time <list>',
      `retinotopic: penalties on differences of successive frames ${unless('smoothTime')}`,
      zeroOrMore,
    )
    .option(
      '--smooth-space <list>',
      `retinotopic: penalties on differences of neighbouring pixels ${unless('smoothSpace')}`,
      zeroOrMore,
    )
    .option(
      '--drift <degree>',
      `retinotopic: polynomial that is removed from each training recording, 0 to 5 ${unless('drift')}`,
      degree,
    )
    .option(
      '--block-drift <list>',
      'retinotopic: polynomial that is fitted to each decoded run beside its frames, to choose from; -1: none, the baseline is that of training (default: -1,0 where training has several recordings, else -1)',
      numberList,
    );
}

export function retinotopicSettings(flags: RetinotopicFlags): RetinotopicDecoderOptions {
  const { prf, hrf, guard, voxelThreshold, maximumVoxels, signed, bounds } = flags;
  const { noiseCorrelation, ridgePenalty, smoothTime, smoothSpace, drift, blockDrift } = flags;
  return {
    prf,
    hrf,
    guardSeconds: guard,
    threshold: voxelThreshold,
    maximumVoxels,
    signed,
    bounds,
    noiseCorrelation,
    ridge: ridgePenalty,
    smoothTime,
    smoothSpace,
    drift,
    blockDrift,
  };
}

function atLeastZero(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('expected a number from 0');
  }
  return value;
}

function degree(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value > 5) {
    throw new InvalidArgumentError('expected a whole number from 0 to 5');
  }
  return value;
}

function zeroOrMore(text: string): number[] {
  const values = numberList(text);
  if (values.some((value) => value < 0)) throw new InvalidArgumentError('expected numbers from 0');
  return values;
}
