import { type PillowFilter, resizePillow } from '../../src/image/resizePillow.ts';
import { type Resize2dOptions, resize2d } from '../../src/ops/resize2d.ts';
import type { ResizeMode } from '../../src/ops/resize2d_taps.ts';
import type { Tensor } from '../../src/tensor.ts';
import { type Adapter, type Produced, produced, upload } from './adapter.ts';
import type { GoldenCase } from './case.ts';

/**
 * `out.bicubic.aa.66x87`, `out.nearest.66x87`: torch; `out.tv_resize_short_side_61`: torchvision's Resize of a tensor
 * (bilinear, no antialiasing, the longer side truncated); `out.pil_lanczos.66x87`: Pillow on bytes.
 */
export const metricsResize: Adapter = {
  prefix: 'metrics_resize',
  async run(golden, backend) {
    const results = new Map<string, Produced>();
    const x = await upload(golden, backend, 'in.x');
    for (const name of golden.names.filter((each) => each.startsWith('out.'))) {
      results.set(name, (await pillow(golden, name)) ?? (await resized(x, name)));
    }
    return results;
  },
};

async function resized(x: Tensor, name: string): Promise<Produced> {
  const shortSide = Number(/^out\.tv_resize_short_side_(\d+)$/.exec(name)?.[1]);
  if (shortSide) {
    const [h = 0, w = 0] = x.shape.slice(-2);
    const longer = (side: number) => Math.floor((shortSide * side) / Math.min(h, w));
    return produced(resize2d(x, longer(h), longer(w)));
  }
  const [, mode, filter, height, width] = /^out\.(\w+?)(\.aa|\.noaa)?\.(\d+)x(\d+)$/.exec(name) ?? [];
  const options: Resize2dOptions = { mode: mode as ResizeMode, antialias: filter === '.aa' };
  return produced(resize2d(x, Number(height), Number(width), options));
}

async function pillow(golden: GoldenCase, name: string): Promise<Produced | undefined> {
  const [, filter, height, width] = /^out\.pil_(\w+)\.(\d+)x(\d+)$/.exec(name) ?? [];
  if (!filter) return undefined;
  const { shape, data } = await golden.read('in.pil_u8');
  const [h = 0, w = 0, channels = 1] = shape;
  const picture = { height: h, width: w, channels, data: Uint8Array.from(data) };
  const result = resizePillow(picture, Number(height), Number(width), filter as PillowFilter);
  // A level: the filter's sines may differ in their last bit between mathematical libraries.
  const atol = () => 1;
  return {
    shape: [result.height, result.width, ...shape.slice(2)],
    data: Float64Array.from(result.data),
    atol,
  };
}
