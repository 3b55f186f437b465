import { F2iError } from '../../src/error.ts';
import {
  distanceBucket,
  relativePositionBuckets,
  rotaryFrequencies,
  rotaryTables,
} from '../../src/nn/tables.ts';
import { attentionWithLse } from '../../src/ops/attention.ts';
import { relativePositionBias } from '../../src/ops/relative_position_bias.ts';
import { rotary } from '../../src/ops/rotary.ts';
import { type Adapter, hyperNumber, type Produced, produced, upload, uploadIf } from './adapter.ts';
import type { GoldenCase } from './case.ts';

/** Axes [b, h, n, d]; keys and values of three axes are shared by all heads. */
export const kernelAttention: Adapter = {
  prefix: 'kernel_attn',
  async run(golden, backend) {
    const q = await upload(golden, backend, 'in.q');
    const k = await upload(golden, backend, 'in.k');
    const v = await upload(golden, backend, 'in.v');
    const bias = await uploadIf(golden, backend, 'in.bias');
    const causal = golden.sidecar.hyper.causal === true;
    const { y, lse } = attentionWithLse(q, k, v, { ...scaling(golden), causal, bias });
    return new Map([
      ['out.y', await produced(y)],
      ['out.lse', await produced(lse)],
    ]);
  },
};

/** A number, or text such as `cosine: l2norm(q),l2norm(k), logits*16`. */
function scaling({ name, sidecar }: GoldenCase): { scale: number; cosine: boolean } {
  const { scale } = sidecar.hyper;
  if (typeof scale === 'number') return { scale, cosine: false };
  const factor = /^cosine.*\*\s*([\d.]+)/.exec(String(scale))?.[1];
  if (factor) return { scale: Number(factor), cosine: true };
  const [file, found] = [`${name}.json`, JSON.stringify(scale)];
  throw new F2iError('FORMAT', 'not a scale', { file, field: 'hyper.scale', expected: 'a number', found });
}

/** Positions are the third axis from the front, of the first `rot_dims` values. */
export const kernelRotary: Adapter = {
  prefix: 'kernel_rotary',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    const frequencies = rotaryFrequencies(
      hyperNumber(golden, 'rot_dims'),
      hyperNumber(golden, 'theta', 10000),
    );
    const positions = x.shape.at(-2)!;
    const tables = rotaryTables(positions, frequencies);
    const [cos, sin] = [tables.cos, tables.sin].map((table) =>
      backend.tensor(Float32Array.from(table), [positions, frequencies.length]),
    );
    return new Map([
      ['out.y', await produced(rotary(x, cos!, sin!))],
      ['out.freqs', { shape: [frequencies.length], data: Float64Array.from(frequencies) }],
    ]);
  },
};

/** The buckets of given distances, in two divisions, and the bias that a table makes of the first. */
export const kernelRelativePositionBias: Adapter = {
  prefix: 'kernel_t5_rel_pos_bias',
  async run(golden, backend) {
    const table = await upload(golden, backend, 'weights.relative_attention_bias.weight');
    const { shape, data } = await golden.read('in.distance_q_minus_k');
    const buckets = (options: object) => ({
      shape,
      data: data.map((distance) => distanceBucket(distance, options)),
      atol: () => 0,
    });
    const where = relativePositionBuckets(hyperNumber(golden, 'i'), hyperNumber(golden, 'j'), {
      buckets: table.shape[0]!,
    });
    const bias = await produced(relativePositionBias(table, where));
    const results = new Map<string, Produced>([['out.bias', { ...bias, atol: () => 0 }]]);
    for (const name of golden.names) {
      const [, count, farthest] = /^out\.bucket_(\d+)_(\d+)$/.exec(name) ?? [];
      if (count) results.set(name, buckets({ buckets: Number(count), maxDistance: Number(farthest) }));
    }
    if (golden.has('out.bucket_alt')) {
      const alternative = {
        buckets: hyperNumber(golden, 'alt.num_buckets'),
        maxDistance: hyperNumber(golden, 'alt.max_distance'),
      };
      results.set('out.bucket_alt', buckets(alternative));
    }
    return results;
  },
};
