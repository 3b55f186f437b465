import {
  type Backend,
  createReferenceBackend,
  type Folder,
  hasFloat64,
  memoryFolder,
  openBundle,
  prepareExport,
  readBundle,
  saveBundle,
} from '../src/index.ts';
import { retinotopicV1 } from './bundles/retinotopic_v1.ts';
import { ridgeDualV1 } from './bundles/ridge_dual_v1.ts';
import { ridgeLabelsV3 } from './bundles/ridge_labels_v3.ts';
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

/** A bundle that is kept, the responses it is tried on, and what the reference made of them. */
interface KeptBundle {
  readonly contentHash: string;
  /** base64 */
  readonly files: Readonly<Record<string, string>>;
  /** base64 of little-endian float32, as the pictures. */
  readonly betas: string;
  readonly betasShape: readonly [number, number];
  readonly pictures: string;
}

/** One of each version and storage at least; none is ever removed or written anew. */
export const KEPT_BUNDLES: Readonly<Record<string, KeptBundle>> = {
  ridge_v1: ridgeV1,
  ridge_dual_v1: ridgeDualV1,
  retinotopic_v1: retinotopicV1,
  ridge_labels_v3: ridgeLabelsV3,
};

/** A kept bundle as a folder. */
export function keptBundle(name: string): Folder {
  const { files } = KEPT_BUNDLES[name]!;
  return memoryFolder(
    Object.entries(files).map(([path, text]) => [path, bytesOf(text)] as const),
    name,
  );
}

/** Unseen responses for a kept bundle, and the pictures (of labels the scores) that the reference made of them. */
export function keptPictures(name: string) {
  const { betas, betasShape, pictures } = KEPT_BUNDLES[name]!;
  return { betas: { data: floatsOf(betas), shape: betasShape }, pictures: floatsOf(pictures) };
}

/**
 * Opens each kept bundle on a backend and reconstructs unseen responses, trial by trial; those with training responses
 * also converted to primal weights.
 */
export async function checkBundles(backend: Backend): Promise<BundleCheck[]> {
  const checks: BundleCheck[] = [];
  for (const name of Object.keys(KEPT_BUNDLES)) {
    const folder = keptBundle(name);
    const { containsTrainingData } = (await readBundle(folder)).model;
    checks.push(await check(name, folder, name, backend));
    if (containsTrainingData) {
      checks.push(await check(`${name} as primal`, await asPrimal(folder, backend), name, backend));
    }
  }
  return checks;
}

async function check(label: string, folder: Folder, kept: string, backend: Backend): Promise<BundleCheck> {
  const { betas, pictures } = keptPictures(kept);
  const decoder = await openBundle(folder, { backend });
  const size = pictures.length / betas.shape[0];
  let worst = 0;
  try {
    for await (const { trial, image, label } of decoder.reconstruct(betas)) {
      (image?.data ?? label!.scores).forEach((value, i) => {
        const difference = Math.abs(value - pictures[trial * size + i]!);
        // NaN is not small.
        if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
      });
    }
  } finally {
    decoder.dispose();
  }
  return { bundle: label, worst, contrast: deviation(pictures) };
}

/** Converted on the device itself where it has float64. */
async function asPrimal(folder: Folder, device: Backend): Promise<Folder> {
  const backend = hasFloat64(device) ? device : createReferenceBackend();
  const files = new Map<string, Uint8Array>();
  try {
    const { contents, options } = await prepareExport(
      await readBundle(folder),
      folder,
      { primal: true },
      { backend },
    );
    await saveBundle(
      { toBundle: () => contents },
      async (path, bytes) => void files.set(path, bytes),
      options,
    );
  } finally {
    if (backend !== device) await backend.dispose();
  }
  return memoryFolder(files, `${folder.name} as primal`);
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export function floatsOf(base64: string): Float32Array {
  const view = new DataView(bytesOf(base64).buffer);
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

export function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
