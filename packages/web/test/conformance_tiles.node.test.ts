import { formatReport, runConformance } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend, type KernelLimits } from '../src/index.ts';
import { describeOnDevice } from './available.ts';
import { unsupported } from './expectations.ts';

/**
 * Paths that neither a device in software nor the default limits take: one case each, as a shader with barriers takes
 * such a device a second to compile. In Dawn alone; Chromium runs the same compiler and driver.
 */
async function conforms(
  limits: Partial<KernelLimits>,
  names: readonly string[],
  gaps: Readonly<Record<string, string>> = {},
) {
  const backend = await createWebBackend({ limits });
  const filter = new RegExp(`^(${[...names, ...Object.keys(gaps)].join('|')})`);
  const report = await runConformance(backend, { filter, unsupported: { ...unsupported, ...gaps } });
  await backend.dispose();
  expect(report.failed, formatReport(report)).toBe(0);
  expect(report.passed, formatReport(report)).toBe(names.length);
  expect(report.unsupported, formatReport(report)).toBe(Object.keys(gaps).length);
}

const TILED = { avoidBarriers: false };

describeOnDevice('conformance in workgroup memory', () => {
  it('holds for layers of few rows and of many', async () => {
    await conforms(TILED, [
      'linear/f32/bf16 weights, three repeats',
      'linear/f32/odd 13x131',
      'linear/f32/f16 weights, several blocks',
    ]);
  });

  it('holds for attention', async () => {
    // Of the head of 512, queries and keys come in pieces.
    await conforms({ ...TILED, maxBindingBytes: 40_960 }, [
      'attention/f32/a head of this length 2x3x13x17x80',
      'attention/f32/a head of 512',
      'attention/f32/heads inside, all options',
      'attention/f32/the prior of MindEye2, several blocks',
      'attention/f32/a bias that hides keys',
      'attention/f32/causal, more queries and a null key',
      'attention/f32/causal, several blocks',
      'attention/f32/a mask that leaves one item nothing',
      'attention/f32/a mask before the last block',
      'attention/f32/NaN reaches its query',
      'attention/f32/no keys',
    ]);
  });

  it('holds for convolutions', async () => {
    await conforms(TILED, [
      'conv2d/f32/3x3 2x8x12x14',
      'conv2d/f32/several blocks in every direction',
      'conv2d/f32/silu and a residual',
      'conv2d/f32/groups: two 2x10x7x9',
      'conv2d/f32/NaN reaches its windows',
    ]);
  });
});

describeOnDevice('conformance in pieces', () => {
  it('holds for elements that share a word, and for rows in many chunks', async () => {
    await conforms(
      { maxBindingBytes: 1024, maxWorkgroups: 2, maxDispatchFlops: 1000 },
      [
        ...['f16', 'u8'].flatMap((dtype) => [
          `concat/${dtype}/rows`,
          `concat/${dtype}/columns`,
          `permute/${dtype}/a transpose`,
          `permute/${dtype}/of odd rows`,
          `slice/${dtype}/rows`,
          `slice/${dtype}/columns`,
        ]),
        'layer_norm/f32/stable, long rows',
        'group_norm/f32/pictures',
      ],
      {
        'rotary/f32/the prior of MindEye2 2x3x33x52, 16 pairs': 'the table does not fit a binding',
        'relative_position_bias/f32/odd 36x37': 'the table does not fit a binding',
      },
    );
  });

  it('holds for pictures whose planes do not fit a binding', async () => {
    await conforms(
      { maxBindingBytes: 1024, maxWorkgroups: 2, maxDispatchFlops: 1e5 },
      [
        'conv2d/f32/one channel',
        'conv2d/f32/one output',
        'conv2d/f32/3x3, stride 2 2x8x12x14',
        'conv2d/f32/padding wider than the picture',
        'conv2d/f32/silu and a residual',
        'conv2d/f32/groups: two 2x10x7x9',
        'conv2d/f32/NaN reaches its windows',
        'conv2d/f32/views',
        'adaptive_max_pool1d/f32/one 9x333',
        'adaptive_max_pool1d/f32/NaN reaches its windows',
        'random_normal/f32/a seed of 64 bits',
        'resize2d/f32/bilinear: wider and lower',
        'resize2d/f32/nearest: wide ',
        'upsample_nearest/f32/one row',
      ],
      {
        'conv2d/f32/14x14 patches 2x3x28x42 to 19 by 14x14': 'the rows under a kernel exceed a binding',
        'resize2d/f32/lanczos, antialias: wider and lower 3x20x9 to 7x31':
          'the rows under a filter exceed a binding',
      },
    );
  });

  it('holds for sums and for keys that do not fit a binding', async () => {
    await conforms({ maxBindingBytes: 2560, maxDispatchFlops: 1e5 }, [
      'linear/f32/f16 weights, three repeats',
      'attention/f32/heads inside, all options',
      'attention/f32/several blocks of keys',
      'attention/f32/causal, several blocks',
      'attention/f32/NaN reaches its query',
      'attention/f32/a mask before the last block',
    ]);
  });
});
