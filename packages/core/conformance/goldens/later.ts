/**
 * Families of cases that are known and have no adapter yet, with the reason they are skipped. A name that matches
 * neither an adapter nor this list is a failure, so that a misspelt or new case is never passed over in silence.
 */
export const later: Readonly<Record<string, string>> = {
  ...skippedAs('banded ridge is not implemented yet', ['ridge_banded']),
  ...skippedAs('the op is not implemented yet', [
    'kernel_adaptive_max_pool1d',
    'kernel_attn_',
    'kernel_conv2d_',
    'kernel_geglu',
    'kernel_gelu_',
    'kernel_group_norm',
    'kernel_layer_norm',
    'kernel_quick_gelu',
    'kernel_rotary',
    'kernel_silu',
    'kernel_softmax',
    'kernel_swiglu',
    'kernel_t5_rel_pos_bias',
    'kernel_timestep_embedding',
    'kernel_upsample_nearest2x',
  ]),
  ...skippedAs('the model is not implemented yet', [
    'brain_diffuser',
    'clip_converter',
    'diffusers_',
    'gnet_encoder',
    'lite_mind',
    'mindbridge',
    'mindeye1_',
    'mindeye2_',
    'open_clip_',
    'sgm_',
    'taef2_',
    'umbrae',
  ]),
  ...skippedAs('the sampler is not implemented yet', ['sampler_']),
  ...skippedAs('the metrics are not implemented yet', ['metrics_']),
  ...skippedAs('gradients are not implemented yet', [
    'mindeye_losses',
    'mindeye2_train3',
    'mindeye2_grads_',
    'mindeye2_backbone_grads_',
    'mindeye2_blurry_grads',
  ]),
};

function skippedAs(reason: string, prefixes: readonly string[]): Record<string, string> {
  return Object.fromEntries(prefixes.map((prefix) => [prefix, reason]));
}

/** Outputs that are gradients: `grad_x`, `dq`, `dk`, `dv`, `dbias`. They count as skipped until there are any. */
export function isGradient(tensor: string): boolean {
  const leaf = tensor.split('.').at(-1)!;
  return /(^|_)grads?(_|$)/.test(leaf) || /^d(q|k|v|bias)$/.test(leaf);
}
