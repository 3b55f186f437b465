import { linear, under, type WeightRule } from '../schema.ts';

/**
 * Transformer of the diffusion prior (Scotti et al. 2023; parts of DALLE2-pytorch): brain tokens, one time token, noisy
 * image tokens. Keys and values are shared by all heads; norms have a gain alone.
 */
export function priorNetwork({ dim, tokens }: { dim: string; tokens: string }): WeightRule[] {
  const time = 'to_time_embeds.0.1.net';
  const one = (name: string, shape: string[], meaning: string): WeightRule => ({ name, shape, meaning });
  const table = (name: string, shape: string[], meaning: string): WeightRule => ({
    ...one(name, shape, meaning),
    table: true,
  });
  const layer = [
    table('0.null_kv', ['2', 'headDim'], 'prior attention: key and value that are always there'),
    one('0.norm.g', [dim], 'prior attention: gain of the norm before it'),
    ...linear('0.to_q', ['heads*headDim', dim], 'prior attention: queries', false),
    ...linear('0.to_kv', ['2*headDim', dim], 'prior attention: keys and values', false),
    one('0.rotary_emb.freqs', ['rotary'], 'prior attention: frequencies of the rotary embedding'),
    ...linear('0.to_out.0', [dim, 'heads*headDim'], 'prior attention: output', false),
    one('0.to_out.1.g', [dim], 'prior attention: gain of the norm after it'),
    one('1.0.g', [dim], 'prior feed-forward: gain of the norm before it'),
    ...linear('1.1', ['2*inner', dim], 'prior feed-forward: values and gates (SwiGLU)', false),
    ...linear('1.5', [dim, 'inner'], 'prior feed-forward: output', false),
  ];
  return [
    table('learned_query', [tokens, dim], 'prior: position embedding of the image tokens'),
    table('null_brain_embeds', [tokens, dim], 'prior: brain tokens of nobody'),
    table('null_image_embed', [tokens, dim], 'prior: image tokens of nothing'),
    ...linear(`${time}.0.0`, ['timeInner', dim], 'prior: embedding of time'),
    ...linear(`${time}.1.0`, ['timeInner', 'timeInner'], 'prior: embedding of time'),
    ...linear(`${time}.2`, [dim, 'timeInner'], 'prior: embedding of time'),
    table(
      'causal_transformer.rel_pos_bias.relative_attention_bias.weight',
      ['buckets', 'heads'],
      'prior: bias of relative positions',
    ),
    ...under('causal_transformer.layers.{layer}.', layer),
    one('causal_transformer.norm.g', [dim], 'prior: gain of the last norm'),
    ...linear('causal_transformer.project_out', [dim, dim], 'prior: output', false),
  ];
}
