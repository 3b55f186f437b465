import { z } from 'zod';
import type { BundleModel } from '../../bundle/schema.ts';
import { F2iError } from '../../error.ts';
import { readConfig } from '../bundleParts.ts';

/** Kind of bundle: several ridge regressions of one recording. */
export const HEADS_KIND = 'ridge-heads';

const extents = z.array(z.int().positive()).min(1).max(7);

const designSchema = z.strictObject({
  /** ROIs that its voxels are of, in words. */
  roi: z.string(),
  voxels: z.int().positive(),
  /** Training rows. */
  rows: z.int().positive(),
  average: z.enum(['none', 'betas', 'normalised']),
  intercept: z.boolean(),
  unitVoxels: z.boolean(),
});

const headSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/i, 'letters, digits, - and _'),
  what: z.string(),
  shape: extents,
  /** Index of its design. */
  design: z.int().nonnegative(),
  /** Whether weights are of training rows, or of voxels. */
  storage: z.enum(['dual', 'primal']),
  renormalise: z.enum(['none', 'stored-training', 'test-predictions']),
  unitTargets: z.boolean(),
});

const configSchema = z.strictObject({
  recipe: z.string(),
  split: z.string(),
  normalisation: z.string(),
  /** Where the repeats of a test picture are averaged. */
  testAverage: z.enum(['none', 'betas', 'normalised', 'predictions']),
  /** What rows are before they are decoded: betas as they were read, or after the normalisation. */
  input: z.enum(['betas', 'normalised']),
  designs: z.array(designSchema).min(1).max(100),
  heads: z.array(headSchema).min(1).max(100),
});

/** `config` of a bundle of ridge heads. */
export type HeadsConfig = z.infer<typeof configSchema>;
export type DesignConfig = HeadsConfig['designs'][number];
export type HeadConfig = HeadsConfig['heads'][number];

/** Values of one prediction. */
export const targetsOf = ({ shape }: { readonly shape: readonly number[] }): number =>
  shape.reduce((product, extent) => product * extent, 1);

/** Names of the tensors of design `d`. */
export const designTensor = (
  d: number,
  part: 'columns' | 'voxel_mean' | 'voxel_std' | 'center' | 'training_voxels',
) => `design.${d}.${part}`;

/** What is known of each target, [targets] float64 each; in this order on disk. */
export const STATISTICS = [
  'alpha',
  'target_mean',
  'target_std',
  'prediction_mean',
  'prediction_std',
] as const;
export type StatisticName = (typeof STATISTICS)[number];
export type HeadStatistics = Readonly<Record<StatisticName, Float64Array>>;

/** Names of the tensors of a head. */
export const headTensor = (head: string, part: 'weights' | StatisticName) => `head.${head}.${part}`;

/**
 * Reads `config`, and holds the tensors that model.json describes against it.
 *
 * @throws FORMAT naming field, expected and found
 */
export function headsConfig(
  model: Pick<BundleModel, 'config' | 'tensors' | 'output' | 'input'>,
  file: string,
): HeadsConfig {
  const config = readConfig(model.config, configSchema, file);
  const fail = (field: string, message: string, expected: string, found: string) =>
    new F2iError('FORMAT', message, { file, field, expected, found });
  const wanted = new Map<string, { dtypes: readonly string[]; shape: readonly number[] }>();
  for (const [d, { voxels, rows }] of config.designs.entries()) {
    wanted.set(designTensor(d, 'columns'), { dtypes: ['i32'], shape: [voxels] });
    for (const part of ['voxel_mean', 'voxel_std', 'center'] as const) {
      wanted.set(designTensor(d, part), { dtypes: ['f32'], shape: [voxels] });
    }
    if (config.heads.some(({ design, storage }) => design === d && storage === 'dual')) {
      wanted.set(designTensor(d, 'training_voxels'), { dtypes: ['f32'], shape: [voxels, rows] });
    }
  }
  const names = new Set<string>();
  for (const [h, head] of config.heads.entries()) {
    const design = config.designs[head.design];
    if (!design) {
      throw fail(
        `config.heads.${h}.design`,
        'no such design',
        `0 to ${config.designs.length - 1}`,
        `${head.design}`,
      );
    }
    if (names.has(head.name))
      throw fail(`config.heads.${h}.name`, 'two heads of one name', 'each once', head.name);
    names.add(head.name);
    const targets = targetsOf(head);
    const inputs = head.storage === 'dual' ? design.rows : design.voxels;
    wanted.set(headTensor(head.name, 'weights'), { dtypes: ['f32', 'f64'], shape: [targets, inputs] });
    for (const part of STATISTICS) {
      wanted.set(headTensor(head.name, part), { dtypes: ['f64'], shape: [targets] });
    }
  }
  for (const [name, { dtypes, shape }] of wanted) {
    const found = model.tensors[name];
    if (found && dtypes.includes(found.dtype) && found.shape.join() === shape.join()) continue;
    const described = found ? `${found.dtype} [${found.shape.join(', ')}]` : 'none';
    throw fail(
      `tensors.${name}`,
      'not what config asks for',
      `${dtypes.join(' or ')} [${shape.join(', ')}]`,
      described,
    );
  }
  const foreign = Object.keys(model.tensors).find((name) => !wanted.has(name));
  if (foreign !== undefined) throw fail(`tensors.${foreign}`, 'a tensor without a use', 'none', foreign);
  const [main] = config.heads;
  if (model.output.kind !== 'features' || model.output.shape.join() !== main!.shape.join()) {
    throw fail(
      'output.shape',
      'not the output of the first head',
      `[${main!.shape}]`,
      `[${model.output.shape}]`,
    );
  }
  return config;
}
