import type { Backend } from '../backend.ts';
import type { BundleContents } from '../bundle/contents.ts';
import type { RecordedNoise } from '../diffusion/noise.ts';
import { F2iError } from '../error.ts';
import type { Rows } from '../rows.ts';
import type { Picture } from './picture.ts';

/** What a decoder makes of one trial. */
export type DecoderOutput =
  | {
      readonly kind: 'picture';
      /** [height, width] or [height, width, 1 or 3]. */
      readonly shape: readonly number[];
      /** Values of black and white; reconstructions are clipped to them. */
      readonly range: readonly [number, number];
    }
  | {
      readonly kind: 'features';
      readonly shape: readonly number[];
      /** Of which model and layer, for people and generators. */
      readonly name?: string | undefined;
    }
  | {
      readonly kind: 'labels';
      /** [labels] */
      readonly shape: readonly number[];
      /** The labels, in the order of their scores. */
      readonly names: readonly string[];
    };

export interface Features {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A label that was decoded. */
export interface DecodedLabel {
  /** The one with the highest score; of equal ones the first. */
  readonly name: string;
  /** Its place in `output.names`. */
  readonly index: number;
  /** Score of each label, in the order of `output.names`: the larger, the likelier. Not a probability. */
  readonly scores: Float32Array;
}

export interface Reconstruction {
  /** Row of the betas; of several repeats, the first one's. */
  readonly trial: number;
  /** Rows whose outputs were averaged, where repeats were asked for. */
  readonly trials?: readonly number[];
  /** Set if the decoder's output are pictures. */
  readonly image?: Picture;
  /** Set if they are features. */
  readonly features?: Features;
  /** Set if they are labels. */
  readonly label?: DecodedLabel;
  /** What else a model of several outputs gives at the stage that was asked for, by name: `retrieval`. */
  readonly beside?: Readonly<Record<string, Features>>;
}

export interface PredictOptions {
  /** Run of each row of the betas, for decoders that look at neighbouring volumes. */
  runs?: ArrayLike<string | number> | undefined;
  signal?: AbortSignal | undefined;
}

export interface ReconstructOptions extends PredictOptions {
  /** Rows of the betas to reconstruct, in this order; all when absent. */
  trials?: ArrayLike<number> | undefined;
  /**
   * Rows that are repeats of one stimulus, a list for each reconstruction, in this order: outputs (of MindEye1 responses,
   * as published) are averaged over them. A row that stands twice counts twice: published evaluations take three of each
   * picture, of two repeats [a, b, a]. Not together with `trials`; for decoders of published models.
   */
  repeats?: readonly (readonly number[])[] | undefined;
  /** For decoders that draw random numbers; ridge does not. */
  seed?: number | undefined;
  /** Noise that was recorded, instead of draws from the seed. */
  noise?: RecordedNoise | undefined;
}

/** From brain responses to pictures or features. Fitted, or opened from a bundle; lives on one backend. */
export interface Decoder {
  /** Name of its kind in bundles: `ridge`. */
  readonly kind: string;
  readonly backend: Backend;
  /** Values of one row of betas: voxels, or voxels times the delays at which a preparation reads them. */
  readonly voxels: number;
  readonly output: DecoderOutput;
  /** Sentences that a report must show. */
  readonly warnings: readonly string[];

  /** Outputs of all rows at once, [n, ...output.shape] row-major; pictures are clipped to their range. */
  predict(betas: Rows, options?: PredictOptions): Promise<Float32Array>;
  /**
   * One reconstruction after the other.
   *
   * @example for await (const { trial, image } of decoder.reconstruct(betas)) show(trial, image);
   */
  reconstruct(betas: Rows, options?: ReconstructOptions): AsyncGenerator<Reconstruction, void, void>;
  /** Puts what it needs on the device, ahead of the first trial; otherwise that happens then. */
  prepare?(options?: { signal?: AbortSignal | undefined }): Promise<void>;
  toBundle(): BundleContents;
  /** Frees what it holds on the device; the decoder cannot be used afterwards. */
  dispose(): void;
}

export function outputSize({ shape }: DecoderOutput): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Throws INVALID_ARGUMENT for an output that makes no sense. */
export function checkOutput(output: DecoderOutput, targetShape: readonly number[]): void {
  const fail = (field: string, message: string, expected: string, found: string) =>
    new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
  if (output.shape.join() !== targetShape.join()) {
    throw fail(
      'output.shape',
      'the output is not what the targets are',
      `[${targetShape}]`,
      `[${output.shape}]`,
    );
  }
  if (output.kind === 'labels') checkNames(output);
  if (output.kind !== 'picture') return;
  const { shape, range } = output;
  if (shape.length < 2 || shape.length > 3 || ![1, 3].includes(shape[2] ?? 1)) {
    throw fail(
      'output.shape',
      'not the shape of a picture',
      '[height, width] or [height, width, 1 or 3]',
      `[${shape}]`,
    );
  }
  if (!(Number.isFinite(range[0]) && Number.isFinite(range[1]) && range[0] < range[1])) {
    throw fail('output.range', 'not a range of values', '[black, white], ascending', `[${range}]`);
  }
}

function checkNames({ names, shape }: Extract<DecoderOutput, { kind: 'labels' }>): void {
  const found = names.length === new Set(names).size ? `${names.length}` : 'a name twice';
  if (found === shape.join()) return;
  throw new F2iError('INVALID_ARGUMENT', 'labels have a name each', {
    field: 'output.names',
    expected: `${shape.join()} names, each once`,
    found,
  });
}

/** The label with the highest score; of equal ones the first. */
export function labelOf(names: readonly string[], scores: Float32Array): DecodedLabel {
  const index = scores.reduce((best, score, i) => (score > scores[best]! ? i : best), 0);
  return { name: names[index]!, index, scores };
}
