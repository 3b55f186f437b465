import { encodeNpy, type Features, type Picture, type Reconstruction } from '@fmri2image/core';
import { featurePicture } from './features.ts';
import { archive, download, fileName } from './save.ts';
import type { State } from './state.ts';

/** What a run has made, for showing and saving: pictures, or features and what shows them. */
export class Outcomes {
  readonly #images = new Map<number, Picture>();
  readonly #features = new Map<number, ReadonlyMap<string, Features>>();

  /** @param stage that made it */
  add({ trial, image, label, beside, ...rest }: Reconstruction, stage: string | undefined): void {
    // Of a label, the score of each is what can be seen and saved.
    const scores = label && { data: label.scores, shape: [label.scores.length] };
    const features = rest.features ?? scores;
    this.#images.set(trial, image ?? featurePicture(features!));
    if (!features) return;
    // Files are called as those of `fmri2image reconstruct`.
    const name = stage === 'blurry' ? 'latent' : (stage ?? (label ? 'scores' : 'features'));
    this.#features.set(trial, new Map([[name, features], ...Object.entries(beside ?? {})]));
  }

  clear(): void {
    this.#images.clear();
    this.#features.clear();
  }

  picture(trial: number): Picture | undefined {
    return this.#images.get(trial);
  }

  /** A picture as PNG; the main output of a trial's features as npy. */
  save(trial: number, label: string): void {
    const [first] = this.#features.get(trial)?.entries() ?? [];
    if (first) {
      const [name, features] = first;
      download(
        npyOf([features], features.shape),
        fileName(trial, label, `_${name}.npy`),
        'application/octet-stream',
      );
      return;
    }
    const picture = this.#images.get(trial);
    if (picture) download(picture.toPng(), fileName(trial, label, '.png'), 'image/png');
  }

  saveAll(state: State): void {
    const zip = archive(state, (trial) => this.#images.get(trial)!, this.#arrays(state));
    download(zip, `${state.responses?.name ?? 'pictures'}-fmri2image.zip`, 'application/zip');
  }

  /** Each output of all trials, in order, as one array: [trials, ...]. */
  #arrays({ pictures }: State): Record<string, Uint8Array> {
    const all = pictures.flatMap(({ trial }) => this.#features.get(trial) ?? []);
    return Object.fromEntries(
      [...(all[0]?.keys() ?? [])].map((name) => [`${name}.npy`, npyOf(all.map((one) => one.get(name)!))]),
    );
  }
}

function npyOf(
  rows: readonly Features[],
  shape: readonly number[] = [rows.length, ...rows[0]!.shape],
): Uint8Array {
  const size = rows[0]!.data.length;
  const data = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) data.set(row.data, i * size);
  return encodeNpy({ dtype: 'f32', shape, data });
}
