/**
 * One tensor of a model, or one for each index: `layers.{layer}.norm.g`. Indices begin at 0 and have no holes; indices of
 * the same letter go equally far everywhere.
 */
export interface WeightRule {
  readonly name: string;
  /**
   * Extents: a number, a symbol whose value the file gives, or a product (`tokens*clip`, `2*inner`). A symbol may be one
   * for each index: `voxels[subject]`.
   */
  readonly shape: readonly string[];
  /** What it is, for readers of bundles. */
  readonly meaning: string;
  /** Group that is there as a whole or not at all. Without one, the tensor is required. */
  readonly group?: string;
  /** There only where these two symbols differ: a convolution that matches the channels of a residual. */
  readonly differ?: readonly [string, string];
  /** No matrix that is multiplied with: rows to look up or to add. It stays f32, as vectors do. */
  readonly table?: boolean;
}

/** What a model's weights are called and which shapes they have. */
export interface WeightSchema {
  readonly model: string;
  readonly rules: readonly WeightRule[];
  /** Prefixes under which files hold the model, beside none. */
  readonly prefixes: readonly string[];
  /** Parts of names that other versions of a library write, and what they are called here. */
  readonly renamed: readonly (readonly [from: string, to: string])[];
  /** Names that do not matter: after the prefix, or of the whole file. */
  readonly ignored: readonly RegExp[];
}

/** Where PyTorch's habits put a model in a checkpoint: in a dict, and wrapped by parallel training or DeepSpeed. */
const COMMON_PREFIXES: readonly string[] = [
  'model_state_dict.',
  'model_state_dict.module.',
  'module.',
  'module.module.',
  'state_dict.',
  'state_dict.module.',
];

/** State of the training, and tables of the diffusion schedule, which are computed anew in float64. */
const COMMON_IGNORED: readonly RegExp[] = [
  /^(optimizer|optimizer_state_dict|lr_scheduler|lr_scheduler_state_dict|scheduler)(\.|$)/,
  /^(train_losses|test_losses|lrs|epoch)(\.|$)/,
  /^(.*\.)?noise_scheduler\.[a-z0-9_]+$/,
];

export function defineSchema(
  model: string,
  rules: readonly WeightRule[],
  more: Partial<Pick<WeightSchema, 'prefixes' | 'renamed' | 'ignored'>> = {},
): WeightSchema {
  const { prefixes = [], renamed = [], ignored = [] } = more;
  return {
    model,
    rules,
    prefixes: [...COMMON_PREFIXES, ...prefixes],
    renamed,
    ignored: [...COMMON_IGNORED, ...ignored],
  };
}

/** Rules under a prefix, all in one group where one is named. */
export function under(prefix: string, rules: readonly WeightRule[], group?: string): WeightRule[] {
  return rules.map((rule) => ({ ...rule, name: prefix + rule.name, ...(group ? { group } : {}) }));
}

/** Weight and bias of a linear layer or convolution. */
export function linear(name: string, shape: readonly string[], meaning: string, bias = true): WeightRule[] {
  const weight = { name: `${name}.weight`, shape, meaning };
  if (!bias) return [weight];
  return [weight, { name: `${name}.bias`, shape: [shape[0]!], meaning: `${meaning}: bias` }];
}

/** Gain and offset of a layer or group norm. */
export function norm(name: string, extent: string, meaning: string): WeightRule[] {
  return [
    { name: `${name}.weight`, shape: [extent], meaning: `${meaning}: gain` },
    { name: `${name}.bias`, shape: [extent], meaning: `${meaning}: offset` },
  ];
}

/** A tensor that a model of given sizes has. */
export interface ExpectedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly meaning: string;
}

/** Sizes of a model: extents of symbols (`h`, `voxels[0]`) and how far indices go. */
export interface ModelSizes {
  readonly extents: ReadonlyMap<string, number>;
  readonly counts: ReadonlyMap<string, number>;
  readonly groups: ReadonlySet<string>;
}

/** All tensors of a model of given sizes, by their canonical names: what a checkpoint of it holds. */
export function expectedWeights({ rules }: WeightSchema, sizes: ModelSizes): ExpectedWeight[] {
  return rules.flatMap((rule) => {
    if (rule.group !== undefined && !sizes.groups.has(rule.group)) return [];
    const [one, other] = rule.differ ?? [];
    if (one !== undefined && sizes.extents.get(one) === sizes.extents.get(other!)) return [];
    const letter = indexOf(rule.name);
    const count = letter === undefined ? 1 : (sizes.counts.get(letter) ?? 0);
    return Array.from({ length: count }, (_, index) => ({
      name: nameAt(rule.name, index),
      shape: rule.shape.map((extent) => extentAt(extent, sizes.extents, index)!),
      meaning: rule.meaning,
    }));
  });
}

/** Letter of a rule's index, or undefined. */
export const indexOf = (name: string): string | undefined => /\{(\w+)\}/.exec(name)?.[1];
export const nameAt = (name: string, index: number): string => name.replace(/\{\w+\}/, `${index}`);

/** Factors of an extent: a number, and symbols, each with its index where it has one. */
export function factorsOf(extent: string, index: number): { number: number; symbols: string[] } {
  let number = 1;
  const symbols: string[] = [];
  for (const part of extent.split('*')) {
    if (/^\d+$/.test(part)) number *= Number(part);
    else symbols.push(part.replace(/\[\w+\]$/, `[${index}]`));
  }
  return { number, symbols };
}

/** Value of an extent, or undefined while a symbol is unknown. */
export function extentAt(
  extent: string,
  extents: ReadonlyMap<string, number>,
  index: number,
): number | undefined {
  const { number, symbols } = factorsOf(extent, index);
  let value = number;
  for (const symbol of symbols) {
    const known = extents.get(symbol);
    if (known === undefined) return undefined;
    value *= known;
  }
  return value;
}
