import type { Backend } from '../backend.ts';
import type { OpenedWeights } from '../bundle/open.ts';
import { dense } from '../nn/layers.ts';
import type { Network } from '../nn/network.ts';
import type { ForwardOptions } from '../nn/observe.ts';
import { permute } from '../ops/permute.ts';
import type { Tensor } from '../tensor.ts';
import type { MatchedWeights } from '../weights/match.ts';
import { clipConverter as schema } from '../weights/schemas/index.ts';
import type { ConvertedOptions } from './converted.ts';
import { ConvertedDecoder, type ConvertedModel } from './convertedDecoder.ts';
import { chosenStage, loadConverted } from './loadConverted.ts';

/**
 * MindEye2's CLIPConverter (Scotti et al. 2024): tokens of OpenCLIP bigG to those of CLIP L, which a captioner reads. A
 * linear layer over tokens, then one over channels.
 *
 * @param network of `clipConverter`
 * @param x [n, tokens, clip]
 * @returns [n, tokens', clip']
 */
export function convertClipTokens(network: Network, x: Tensor, { signal }: ForwardOptions = {}): Tensor {
  const overTokens = dense(network, 'linear1', permute(x, [0, 2, 1], { signal }), { signal });
  return dense(network, 'linear2', permute(overTokens, [0, 2, 1], { signal }), { signal });
}

/** Rows of features that are converted at once. */
const ROWS_AT_ONCE = 16;

/**
 * CLIPConverter out of a converted checkpoint. Its rows are features, [tokens * clip] of each trial, where other decoders
 * take responses; its one stage is `tokens`.
 *
 * @throws INVALID_ARGUMENT, OUT_OF_MEMORY, FORMAT, IO, CANCELLED
 */
export async function openClipConverter(
  opened: Pick<OpenedWeights, 'weights' | 'warnings'>,
  file: string,
  backend: Backend,
  options: ConvertedOptions = {},
): Promise<ConvertedDecoder> {
  chosenStage(options.stage, ['tokens'], file);
  const needs = ({ extents }: MatchedWeights) => {
    const of = (symbol: string) => extents.get(symbol)!;
    const row = 2 * of('clip') * (of('tokens') + of('tokensOut')) + of('tokensOut') * of('clipOut');
    return { wanted: () => true, activations: 4 * ROWS_AT_ONCE * row };
  };
  const loaded = await loadConverted(opened, schema, needs, file, backend, options);
  const { network, matched, warnings } = loaded;
  const of = (symbol: string) => matched.extents.get(symbol)!;
  const [tokens, clip] = [of('tokens'), of('clip')];
  const model: ConvertedModel = {
    backend,
    voxels: tokens * clip,
    output: { kind: 'features', shape: [of('tokensOut'), of('clipOut')], name: 'CLIP L tokens' },
    averages: 'outputs',
    rowsAtOnce: ROWS_AT_ONCE,
    ops: ['linear', 'permute'],
    outputs: (x, each) => {
      const features = x.reshape(x.shape[0]!, tokens, clip);
      return { tokens: convertClipTokens(network, features, each) };
    },
    dispose: () => network.dispose(),
  };
  return new ConvertedDecoder('clip-converter', model, warnings, file);
}
