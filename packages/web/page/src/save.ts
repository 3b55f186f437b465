import { type Picture, VERSION } from '@fmri2image/core';
import { zipSync } from 'fflate';
import { type State, unitOf } from './state.ts';

/** Offers bytes as a download, under a name. */
export function download(bytes: Uint8Array, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** `trial-0012_triangle.png`, as `fmri2image reconstruct` names them. */
export const pictureName = (trial: number, label: string): string => fileName(trial, label, '.png');

export function fileName(trial: number, label: string, ending: string): string {
  const rest = label
    .replace(/^Trial \d+( · )?/, '')
    .replace(/[^\w.-]+/g, '-')
    .slice(0, 80);
  return `trial-${String(trial + 1).padStart(4, '0')}${rest ? `_${rest}` : ''}${ending}`;
}

/**
 * All pictures as PNGs (of features what shows them), their scores as a table, and what made them.
 *
 * @param more other files: arrays of features
 */
export function archive(
  state: State,
  picture: (trial: number) => Picture,
  more: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  const { pictures, responses, bundle, decoder } = state;
  const files: Record<string, Uint8Array> = { ...more };
  const text = (value: string) => new TextEncoder().encode(value);
  // What shows features is no picture of anything.
  const folder = unitOf(state) === 'picture' ? 'pictures' : 'shown';
  const labelOf = (trial: number) => responses?.labels[trial] ?? '';
  for (const { trial } of pictures) {
    files[`${folder}/${pictureName(trial, labelOf(trial))}`] = picture(trial).toPng();
  }
  if (pictures.some(({ score }) => score)) {
    const lines = pictures.map(({ trial, score }) =>
      [
        trial + 1,
        labelOf(trial),
        score?.correlation.toFixed(6) ?? 'n/a',
        score?.chance.toFixed(6) ?? 'n/a',
        score?.twoWay.toFixed(6) ?? 'n/a',
      ].join('\t'),
    );
    const header = 'trial\tlabel\tcorrelation\tcorrelation_other_stimuli\ttwo_way_identification';
    files['scores.tsv'] = text(`${[header, ...lines].join('\n')}\n`);
  }
  const about = {
    madeBy: { name: 'fmri2image page', version: VERSION },
    device: decoder?.device,
    bundle: { name: bundle?.name, kind: bundle?.model.kind, contentHash: bundle?.model.contentHash },
    stage: state.stage,
    subject: state.subject,
    responses: { name: responses?.name, simulated: responses?.simulated },
    [unitOf(state) === 'picture' ? 'pictures' : 'trials']: pictures.length,
    of: state.wanted.length,
    warnings: decoder?.warnings,
  };
  files['about.json'] = text(`${JSON.stringify(about, undefined, 2)}\n`);
  return zipSync(files, { level: 0 });
}
