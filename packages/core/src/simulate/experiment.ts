import type { Random } from '../random.ts';

/** One presentation of a picture. */
export interface Presentation {
  /** Index of the picture. */
  readonly picture: number;
  /** Seconds from the start of the run. */
  readonly onset: number;
  readonly run: number;
  readonly repeat: number;
  readonly split: 'train' | 'test';
}

export interface Run {
  readonly split: 'train' | 'test';
  /** First volume of the run in the concatenated series. */
  readonly firstVolume: number;
  readonly volumes: number;
  readonly presentations: readonly Presentation[];
}

export interface ExperimentOptions {
  trainPictures: number;
  testPictures: number;
  testRepeats: number;
  trialsPerRun: number;
  /** Seconds from one onset to the next. */
  trialSeconds: number;
  /** Repetition time in seconds. */
  tr: number;
}

/** Seconds of rest before the first picture and after the last. */
const LEAD_IN = 6;
const LEAD_OUT = 16;
/** One in so many trials shows nothing, which separates overlapping responses. */
const BLANK_EVERY = 9;

/**
 * Event-related runs as in NSD (Allen et al. 2022): training pictures are shown once, test pictures `testRepeats`
 * times, each repeat in a run of its own. Pictures 0 .. trainPictures - 1 are for training, the rest for testing.
 */
export function planRuns(options: ExperimentOptions, random: Random): Run[] {
  const runs: Run[] = [];
  let firstVolume = 0;
  const add = (split: 'train' | 'test', pictures: readonly number[], repeat: number) => {
    const slots = random.shuffle([
      ...pictures,
      ...new Array<number>(Math.ceil(pictures.length / BLANK_EVERY)).fill(-1),
    ]);
    const presentations = slots
      .map((picture, slot) => ({
        picture,
        onset: LEAD_IN + slot * options.trialSeconds,
        run: runs.length,
        repeat,
        split,
      }))
      .filter(({ picture }) => picture >= 0);
    const seconds = LEAD_IN + slots.length * options.trialSeconds + LEAD_OUT;
    const volumes = Math.ceil(seconds / options.tr);
    runs.push({ split, firstVolume, volumes, presentations });
    firstVolume += volumes;
  };
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  for (let from = 0; from < options.trainPictures; from += options.trialsPerRun) {
    add('train', range(from, Math.min(from + options.trialsPerRun, options.trainPictures)), 0);
  }
  for (let repeat = 0; repeat < options.testRepeats; repeat++) {
    add('test', range(options.trainPictures, options.trainPictures + options.testPictures), repeat);
  }
  return runs;
}
