import { type BundleModel, F2iError } from '@fmri2image/core';

/**
 * Voxels of each subject that a published model has a layer of, in its order; nothing for a decoder of one subject. Its
 * description holds them as sizes of the layers: `voxels[0]`, `voxels[1]`, ...
 */
export function subjectsOf({ config }: Pick<BundleModel, 'config'>): number[] {
  const { counts, extents } = config as { counts?: Sizes; extents?: Sizes };
  const count = counts?.subject ?? 1;
  if (count < 2) return [];
  return Array.from({ length: count }, (_, i) => extents?.[`voxels[${i}]`] ?? 0);
}

type Sizes = Readonly<Record<string, number>>;

/** The description of the decoder of one subject. */
export function ofSubject(model: BundleModel, subject: number): BundleModel {
  return { ...model, input: { ...model.input, voxels: subjectsOf(model)[subject]! } };
}

/** Numbers of values a row that a decoder may be given. */
export function voxelsOf(model: BundleModel, subject: number | undefined): number[] {
  const subjects = subjectsOf(model);
  return subjects.length === 0 || subject !== undefined ? [model.input.voxels] : subjects;
}

/**
 * Whose responses these are: the chosen subject's where they fit it, else the only one's that they fit, as far as
 * the number of voxels tells.
 *
 * @param found values a row
 * @param names of the responses and of the bundle, for errors
 * @returns nothing where they fit several
 * @throws INVALID_ARGUMENT where they fit none
 */
export function subjectFor(
  model: BundleModel,
  found: number,
  chosen: number | undefined,
  names: { readonly responses: string; readonly bundle: string },
): number | undefined {
  const subjects = subjectsOf(model);
  const fitting = subjects.flatMap((voxels, subject) => (voxels === found ? [subject] : []));
  if (fitting.length === 0) {
    throw new F2iError('INVALID_ARGUMENT', 'responses of another number of voxels than any subject’s', {
      file: names.responses,
      field: 'voxels',
      expected: `${subjects.map(subjectText).join(', ')}, as ${names.bundle}`,
      found: `${found}`,
    });
  }
  if (chosen !== undefined && fitting.includes(chosen)) return chosen;
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** `0 (15,724 voxels)`, as `--subject` counts. */
export const subjectText = (voxels: number, subject: number): string =>
  `${subject} (${voxels.toLocaleString('en')} voxels)`;
