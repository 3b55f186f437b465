import { gunzip } from '../src/data/formats/gzip.ts';
import { bytesSource, memoryFolder } from '../src/data/source.ts';
import { type Backend, type Folder, openBundle, type Source } from '../src/index.ts';
import { type BundleCheck, bytesOf, deviation, floatsOf } from './bundle.ts';
import { mindeye2V2 } from './bundles/mindeye2_v2.ts';

/**
 * Allowed difference between a device and the float64 reference, as a share of the largest output: float32 arithmetic
 * through some thirty layers.
 */
export const MODEL_TOLERANCE = 2e-5;

/** What responses of the kept model are, and which of its layers they belong to. */
export const keptModelInput = {
  betas: { data: floatsOf(mindeye2V2.betas), shape: mindeye2V2.betasShape },
  subject: mindeye2V2.subject,
  repeats: mindeye2V2.repeats,
};

/** The kept bundle of a published model's kind, its files unpacked. */
export async function keptModel(): Promise<Folder> {
  const files = await Promise.all(
    Object.entries(mindeye2V2.files).map(async ([path, text]): Promise<[string, Source]> => {
      const packed = bytesSource(bytesOf(text), `${path}.gz`);
      return [path, bytesSource(await gunzip(packed), path)];
    }),
  );
  return memoryFolder(files, 'mindeye2_v2');
}

/** Outputs that the reference made of the kept responses, by name. */
export function keptOutputs(): ReadonlyMap<string, Float32Array> {
  return new Map(Object.entries(mindeye2V2.outputs).map(([name, text]) => [name, floatsOf(text)]));
}

/**
 * Opens the kept model on a backend, at the stages whose ops it has, and compares its outputs.
 *
 * @param stages `tokens`, `blurry`
 */
export async function checkKeptModel(
  backend: Backend,
  stages = ['tokens', 'blurry'],
): Promise<BundleCheck[]> {
  const folder = await keptModel();
  const expected = keptOutputs();
  const { betas, subject, repeats } = keptModelInput;
  const checks: BundleCheck[] = [];
  for (const stage of stages) {
    const decoder = await openBundle(folder, { backend, stage, subject });
    try {
      for await (const { features, beside } of decoder.reconstruct(betas, { repeats })) {
        const main = stage === 'blurry' ? 'latent' : stage;
        for (const [name, found] of Object.entries({ [main]: features!, ...beside })) {
          checks.push(compared(name, found.data, expected.get(name)!));
        }
      }
    } finally {
      decoder.dispose();
    }
  }
  return checks;
}

function compared(name: string, found: Float32Array, expected: Float32Array): BundleCheck {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let worst = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  for (const [i, value] of expected.entries()) {
    const error = Math.abs(found[i]! - value) / largest;
    // NaN is not small.
    if (!(error <= worst)) worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return { bundle: `mindeye2_v2 ${name}`, worst, contrast: deviation(expected) };
}
