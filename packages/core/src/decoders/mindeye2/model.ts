import type { Backend } from '../../backend.ts';
import { toFloat64 } from '../../data/ndarray.ts';
import { Prior } from '../../diffusion/prior.ts';
import { type LoadNetworkOptions, loadNetwork } from '../../nn/loadNetwork.ts';
import { mixerConstants } from '../../nn/mixer.ts';
import type { ResidentNetwork } from '../../nn/network.ts';
import type { OpOptions } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { MatchedWeights } from '../../weights/match.ts';
import type { WeightSource } from '../../weights/source.ts';
import {
  backboneTokens,
  blurryLatent,
  blurryMaps7,
  blurryNorm,
  mix,
  retrievalTokens,
  toSharedSpace,
} from './network.ts';
import { type MindEye2Sizes, type MindEye2Stage, wantedWeights } from './stages.ts';

/** What the backbone makes of rows of betas. */
export interface BackboneOutputs {
  /** [n, tokens, dim] */
  readonly tokens?: Tensor;
  /** [n, tokens, dim] */
  readonly retrieval?: Tensor;
  /** [n, 4, 28, 28] */
  readonly latent?: Tensor;
}

/** One subject's MindEye2 on a device, as far as a stage needs it. */
export class MindEye2Model implements Disposable {
  readonly sizes: MindEye2Sizes;
  readonly stage: MindEye2Stage;
  /** There at the stage `prior`. */
  readonly prior: Prior | undefined;
  readonly #network: ResidentNetwork;
  readonly #mixer: number | undefined;

  private constructor(
    network: ResidentNetwork,
    sizes: MindEye2Sizes,
    stage: MindEye2Stage,
    mixer: number | undefined,
    prior: Prior | undefined,
  ) {
    this.#network = network;
    this.sizes = sizes;
    this.stage = stage;
    this.#mixer = mixer;
    this.prior = prior;
  }

  /** Loads what the stage needs; nothing stays on the device if that fails. */
  static async load(
    source: WeightSource,
    matched: MatchedWeights,
    backend: Backend,
    { sizes, stage }: { sizes: MindEye2Sizes; stage: MindEye2Stage },
    options: Omit<LoadNetworkOptions, 'wanted'>,
  ): Promise<MindEye2Model> {
    const mixer =
      sizes.positions === 1 ? await mixerConstant(source, matched, sizes, options.signal) : undefined;
    const wanted = wantedWeights(stage, sizes);
    const network = await loadNetwork(source, matched, backend, { ...options, wanted });
    try {
      const prior = stage === 'prior' ? await Prior.open(network.under('diffusion_prior.net.')) : undefined;
      return new MindEye2Model(network, sizes, stage, mixer, prior);
    } catch (error) {
      network.dispose();
      throw error;
    }
  }

  get backend(): Backend {
    return this.#network.backend;
  }

  /** Bytes of weights on the device. */
  get byteLength(): number {
    return this.#network.byteLength;
  }

  /**
   * Outputs of rows of betas, each by itself.
   *
   * @param x [n, positions * voxels]
   */
  outputs(x: Tensor, options: OpOptions = {}): BackboneOutputs {
    const { sizes, stage } = this;
    const { positions, voxels, subject, tokens, dim, hasBlurry } = sizes;
    const network = this.#network;
    const backbone = network.under('backbone.');
    return network.backend.scope(() => {
      const rows = x.reshape(x.shape[0]!, positions, voxels);
      const shared = toSharedSpace(network, subject, rows, options);
      const hidden = mix(backbone, shared, this.#mixer, options);
      const made = stage === 'blurry' ? undefined : backboneTokens(backbone, hidden, [tokens, dim], options);
      const latent = () => {
        const normed = blurryNorm(backbone, blurryMaps7(backbone, hidden, options), options);
        return blurryLatent(backbone, normed, options);
      };
      return {
        ...(made && { tokens: made, retrieval: retrievalTokens(backbone, made, options) }),
        ...(stage !== 'tokens' && hasBlurry && { latent: latent() }),
      };
    });
  }

  dispose(): void {
    this.prior?.dispose();
    this.#network.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What a mixer of one position adds to every hidden unit. */
async function mixerConstant(
  source: WeightSource,
  { weights }: MatchedWeights,
  { blocks }: MindEye2Sizes,
  signal: AbortSignal | undefined,
): Promise<number> {
  const read = async (name: string) => {
    const { stored } = weights.get(`backbone.${name}`)!;
    return toFloat64(await source.read(stored.name, signal), { file: source.name, field: stored.name })[0]!;
  };
  return (await mixerConstants(blocks, read)).reduce((sum, constant) => sum + constant, 0);
}
