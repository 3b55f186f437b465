import { type Backend, memoryFolder, openBundle } from '../src/index.ts';
import { ridgeV1 } from './bundles/ridge_v1.ts';

/**
 * Allowed difference of a pixel (0 black, 1 white) between a device and the float64 reference, for float32 arithmetic
 * over some hundred products: a hundredth of a grey level of 8 bits.
 */
export const PICTURE_TOLERANCE = 4e-5;

export interface BundleCheck {
  readonly bundle: string;
  /** Largest difference of a pixel from the pictures that the reference made. */
  readonly worst: number;
  /** Deviation of the pictures' pixels: the check would mean nothing if they were flat. */
  readonly contrast: number;
}

/** Opens each kept bundle on a backend and reconstructs unseen responses, trial by trial. */
export async function checkBundles(backend: Backend): Promise<BundleCheck[]> {
  const folder = memoryFolder(
    Object.entries(ridgeV1.files).map(([name, text]) => [name, bytesOf(text)] as const),
    'ridge_v1',
  );
  const decoder = await openBundle(folder, { backend });
  const expected = floatsOf(ridgeV1.pictures);
  const size = expected.length / ridgeV1.betasShape[0];
  let worst = 0;
  try {
    const betas = { data: floatsOf(ridgeV1.betas), shape: ridgeV1.betasShape };
    for await (const { trial, image } of decoder.reconstruct(betas)) {
      image!.data.forEach((value, i) => {
        const difference = Math.abs(value - expected[trial * size + i]!);
        // NaN is not small.
        if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
      });
    }
  } finally {
    decoder.dispose();
  }
  return [{ bundle: 'ridge_v1', worst, contrast: deviation(expected) }];
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function floatsOf(base64: string): Float32Array {
  const view = new DataView(bytesOf(base64).buffer);
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
