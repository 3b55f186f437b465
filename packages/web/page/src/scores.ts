import type { Rows } from '@fmri2image/core';
import type { PictureScore } from './state.ts';

/** Pictures on the host. */
export type Pictures = Rows & { readonly data: Float32Array };

/** What was shown in each trial. */
export interface Truth {
  /** [stimuli, ...] */
  readonly pictures: Pictures;
  /** Stimulus of each row of the responses. */
  readonly stimulusOf: readonly number[];
  /** The mean training picture [1, ...]: the brain-free control. */
  readonly meanPicture?: Pictures | undefined;
  /** Rows that are scored: a study may leave out empty pictures, say. All when absent. */
  readonly scored?: ReadonlySet<number> | undefined;
}

/**
 * Scores reconstructions one by one against the stimuli of a run. With the run complete, the means over its pictures
 * are pixel correlation and two-way identification as packages/core/src/metrics defines them: fractions of strictly
 * smaller correlations, where trials of the same stimulus do not compete.
 */
export class Scorer {
  readonly #truth: Truth;
  readonly #wanted: readonly number[];
  readonly #length: number;
  /** Centred stimuli of norm 1, by index. */
  readonly #stimuli = new Map<number, Float64Array>();
  readonly #meanPicture: Float64Array | undefined;

  /** @param wanted rows of the run; their stimuli compete, each as often as it was shown */
  constructor(truth: Truth, wanted: readonly number[]) {
    const { pictures, stimulusOf, meanPicture } = truth;
    this.#truth = truth;
    this.#wanted = truth.scored ? wanted.filter((row) => truth.scored!.has(row)) : wanted;
    this.#length = pictures.data.length / pictures.shape[0]!;
    for (const stimulus of new Set(this.#wanted.map((row) => stimulusOf[row]!))) {
      this.#stimuli.set(stimulus, unit(rowOf(pictures, stimulus).data));
    }
    this.#meanPicture = meanPicture?.data.length === this.#length ? unit(meanPicture.data) : undefined;
  }

  /** @returns undefined for rows that are not scored, where no other stimulus competes, or where stimuli are of another size */
  score(trial: number, values: Float32Array): PictureScore | undefined {
    const { stimulusOf, scored } = this.#truth;
    if (scored && !scored.has(trial)) return undefined;
    const own = stimulusOf[trial]!;
    const others = this.#wanted.flatMap((row) => (stimulusOf[row] === own ? [] : stimulusOf[row]!));
    const stimulus = this.#stimuli.get(own);
    if (values.length !== this.#length || others.length === 0 || !stimulus) return undefined;
    const picture = unit(values);
    const by = new Map([...this.#stimuli].map(([index, other]) => [index, dot(picture, other)]));
    const correlation = by.get(own)!;
    const rest = others.map((index) => by.get(index)!);
    return {
      correlation,
      chance: rest.reduce((sum, value) => sum + value, 0) / rest.length,
      twoWay: rest.filter((value) => value < correlation).length / rest.length,
      meanPicture: this.#meanPicture && dot(this.#meanPicture, stimulus),
    };
  }
}

/** Values minus their mean, divided by their norm; 0 where they do not vary. */
function unit(values: Float32Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const centred = Float64Array.from(values, (value) => value - mean);
  const norm = values.every((value) => value === values[0]) ? 0 : Math.sqrt(dot(centred, centred));
  return centred.map((value) => (norm === 0 ? 0 : value / norm));
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** One row of an array of pictures, as an array of one. */
export function rowOf({ data, shape }: Pictures, row: number): Pictures {
  const length = data.length / shape[0]!;
  return { data: data.subarray(row * length, (row + 1) * length), shape: [1, ...shape.slice(1)] };
}
