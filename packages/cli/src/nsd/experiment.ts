import { createRandom, NSD_PICTURES } from '@fmri2image/core';
import type { LaidOutTrial } from './write.ts';

export interface ExperimentOptions {
  readonly seed: number;
  readonly trainPictures: number;
  readonly testPictures: number;
  /** Presentations of each training picture, and of each test picture. */
  readonly trainRepeats: number;
  readonly repeats: number;
  readonly sessions: number;
}

export interface SimulatedTrial extends LaidOutTrial {
  /** Which of the simulated pictures: those for training first. */
  readonly picture: number;
  /** Place among the subject's own pictures, from 0: those that all subjects saw first, as in NSD. */
  readonly place: number;
}

/** Who saw what when: all presentations in one random order, in sessions of equal length (the last may be shorter). */
export interface Experiment {
  readonly trials: readonly SimulatedTrial[];
  readonly sessionTrials: number;
  /** Number among the 73,000 of each simulated picture. */
  readonly numbers: readonly number[];
}

/** An experiment of the shape of NSD; test pictures stand for those that all subjects saw. */
export function planExperiment(options: ExperimentOptions): Experiment {
  const { seed, trainPictures, testPictures, trainRepeats, repeats, sessions } = options;
  const random = createRandom(seed);
  const shown = [
    ...Array.from({ length: trainPictures * trainRepeats }, (_, i) => Math.floor(i / trainRepeats)),
    ...Array.from({ length: testPictures * repeats }, (_, i) => trainPictures + Math.floor(i / repeats)),
  ];
  const order = random.shuffle(shown);
  // Pictures of NSD are numbered among 73,000; ours lie anywhere among them.
  const all = random.shuffle(Array.from({ length: NSD_PICTURES }, (_, i) => i));
  const numbers = all.slice(0, trainPictures + testPictures);
  const seenBefore = new Map<number, number>();
  const trials = order.map((picture, trial): SimulatedTrial => {
    const repeat = seenBefore.get(picture) ?? 0;
    seenBefore.set(picture, repeat + 1);
    const isTest = picture >= trainPictures;
    const place = isTest ? picture - trainPictures : testPictures + picture;
    return { picture, place, image: numbers[picture]!, trial, split: isTest ? 'new_test' : 'train', repeat };
  });
  return { trials, sessionTrials: Math.ceil(order.length / sessions), numbers };
}

/** Trials [start, end) of each session. */
export function sessionsOf({ trials, sessionTrials }: Experiment): { start: number; end: number }[] {
  return Array.from({ length: Math.ceil(trials.length / sessionTrials) }, (_, session) => ({
    start: session * sessionTrials,
    end: Math.min(trials.length, (session + 1) * sessionTrials),
  }));
}
