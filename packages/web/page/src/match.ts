import { type BundleModel, F2iError, rowOfInput, selectionChecksum } from '@fmri2image/core';
import type { Opened, Responses } from './responses.ts';

/**
 * A decoder is bound to its voxels, in their order, and to its repetition time: others would give pictures that mean
 * nothing. A matrix says its number of values a row only; a study says which voxels they are of.
 *
 * @param bundle name of the bundle, for errors
 * @throws INVALID_ARGUMENT naming what differs
 */
export async function checkMatch(
  opened: Opened,
  { name, betas }: Responses,
  { input }: BundleModel,
  bundle: string,
): Promise<void> {
  const [rows, found] = betas.shape as [number, number];
  const refuse = (message: string, field: string, expected: string, foundText: string) =>
    new F2iError('INVALID_ARGUMENT', message, { file: name, field, expected, found: foundText });
  if (found !== input.voxels) {
    const { voxels, delays } = rowOfInput(input);
    const several = delays > 1 ? ` (${delays} delays of ${voxels} voxels)` : '';
    throw refuse(
      several && opened.kind === 'matrix'
        ? `this decoder reads ${delays} delays of ${voxels} voxels: open the study folder instead of ${name}`
        : 'responses of another number of values a row than the decoder reads',
      'voxels',
      `${input.voxels}${several}, as ${bundle}`,
      `${found} (${rows} rows of ${found} values)`,
    );
  }
  if (opened.kind !== 'study') return;
  const { tr, selection } = opened.study;
  const fittedTr = input.repetitionTime;
  if (fittedTr !== undefined && tr !== undefined && Math.abs(fittedTr - tr) > 1e-3 * fittedTr) {
    throw refuse('responses of another repetition time than the decoder’s', 'tr', `${fittedTr} s`, `${tr} s`);
  }
  const checksum = input.selectionSha256 === undefined ? undefined : await selectionChecksum(selection);
  if (checksum !== undefined && checksum !== input.selectionSha256) {
    throw refuse(
      'as many voxels as the decoder reads, but other ones',
      'voxels',
      `${input.selection ?? 'those of the fit'} (${input.selectionSha256!.slice(0, 12)})`,
      `${selection.description} (${checksum.slice(0, 12)})`,
    );
  }
}
