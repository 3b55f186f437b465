/**
 * Families of cases that are known and have no adapter yet, with the reason they are skipped. What matches neither
 * this list nor an adapter is a failure, so that a misspelt or new case is never passed over in silence.
 */
const later: readonly { readonly names: RegExp; readonly reason: string }[] = [
  skippedAs('gradients are not implemented yet', [
    'mindeye_losses',
    'mindeye2_(backbone_|blurry_)?grads',
    String.raw`mindeye2_train\d+`,
  ]),
  skippedAs('the model is not implemented yet', [
    'diffusers_(unet|vae)',
    'gnet_encoder',
    'lite_mind',
    'mindbridge',
    'open_clip_vit',
    'sgm_(unet|vae)',
    'taef2_roundtrip',
    'umbrae',
  ]),
  skippedAs('the sampler is not implemented yet', [
    'sampler_diffusers',
    'sampler_euler_edm',
    'sampler_unclip_euler_edm',
  ]),
];

/** Why a case is skipped, if it is one of a later family; the first family that matches has the word. */
export function laterReason(name: string): string | undefined {
  return later.find(({ names }) => names.test(name))?.reason;
}

/** Families as patterns of whole words: a name ends there, or goes on with an underscore and its variant. */
function skippedAs(reason: string, families: readonly string[]) {
  return { names: new RegExp(`^(${families.join('|')})(_|$)`), reason };
}

/** Outputs that are gradients: `grad_x`, `dq`, `dk`, `dv`, `dbias`. They count as skipped until there are any. */
export function isGradient(tensor: string): boolean {
  const leaf = tensor.split('.').at(-1)!;
  return /(^|_)grads?(_|$)/.test(leaf) || /^d(q|k|v|bias)$/.test(leaf);
}
