import type { Features } from '../decoders/decoder.ts';
import type { Picture } from '../decoders/picture.ts';

/** Features, and of which model and layer: `OpenCLIP bigG tokens`. */
export interface NamedFeatures extends Features {
  readonly name?: string | undefined;
}

/** What was seen in outline: a picture, or a latent of an autoencoder, as a low-level decoder gives it. */
export type LowLevel =
  | { readonly kind: 'image'; readonly image: Picture }
  | { readonly kind: 'latent'; readonly latent: NamedFeatures };

/** What a generator is to make pictures of: what decoders gave for one trial. */
export interface GeneratorRequest {
  /** Tokens that the generator attends to: [tokens, dim]. */
  readonly tokens?: NamedFeatures | undefined;
  /** One embedding: [dim]. */
  readonly vector?: NamedFeatures | undefined;
  /** Where the generator starts from, instead of plain noise. */
  readonly lowLevel?: LowLevel | undefined;
  /** Words about the picture. */
  readonly caption?: string | undefined;
  /** Pictures to make; 1 by default, or as many as there are seeds. */
  readonly count?: number | undefined;
  /** Of each picture's noise; 0, 1, ... by default. The same seed and request give the same picture. */
  readonly seeds?: readonly number[] | undefined;
  /** Previews, where the generator can show them; they cost time. */
  readonly previews?: boolean | undefined;
  /** Ends it with CANCELLED within a step. */
  readonly signal?: AbortSignal | undefined;
}

/** What a generator reads of features. */
export interface FeatureInput {
  readonly shape: readonly number[];
  /** Features that say that they are another model's are refused. */
  readonly name?: string | undefined;
  readonly required: boolean;
}

/** What a generator reads; what is not named is refused, so that nothing is passed over in silence. */
export interface GeneratorInputs {
  readonly tokens?: FeatureInput | undefined;
  readonly vector?: FeatureInput | undefined;
  /** Kinds that it can start from. A picture of any size will do, a latent must be of this shape. */
  readonly lowLevel?:
    | {
        readonly image: boolean;
        readonly latent?: Omit<FeatureInput, 'required'> | undefined;
        readonly required: boolean;
      }
    | undefined;
  readonly caption?: { readonly required: boolean } | undefined;
}

/** What a generator tells on its way. `image` counts the pictures of the request from 0. */
export type GeneratorEvent =
  | {
      readonly kind: 'progress';
      readonly image: number;
      /** Steps done of this picture, and all of them. */
      readonly done: number;
      readonly total: number;
      /** What it would be if it ended here; of any size. */
      readonly preview?: Picture | undefined;
    }
  | { readonly kind: 'image'; readonly image: number; readonly seed: number; readonly picture: Picture };

/**
 * Makes pictures of what decoders read from a brain: a published model that runs on our ops, or one of another runtime
 * behind the same seam. It can make a beautiful picture of noise: reports set what it makes beside what it makes without
 * brain data.
 *
 * An implementation begins with `checkRequest`, yields at least one `progress` a step and exactly one `image` for each
 * picture of the request, in their order, and frees what it holds of a request when its loop is left, by an abort, an error
 * or the consumer.
 *
 * @example
 * for await (const event of generator.generate({ tokens, caption, seeds: [42] })) {
 *   if (event.kind === 'image') await event.picture.writePng('trial-3.png');
 * }
 */
export interface Generator {
  /** Name of its kind: `sdxl-unclip`. */
  readonly kind: string;
  readonly inputs: GeneratorInputs;
  /** Of each picture: [height, width, 3], and the values of black and white. */
  readonly output: {
    readonly shape: readonly [height: number, width: number, channels: 3];
    readonly range: readonly [black: number, white: number];
  };
  /** Sentences that a report must show. */
  readonly warnings: readonly string[];

  /** @throws INVALID_ARGUMENT for a request that does not fit {@link inputs}; CANCELLED */
  generate(request: GeneratorRequest): AsyncGenerator<GeneratorEvent, void, void>;
  /** Puts what it needs on its device, ahead of the first request; otherwise that happens then. */
  prepare?(options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /** Frees what it holds; it cannot be used afterwards. */
  dispose(): void | Promise<void>;
}
