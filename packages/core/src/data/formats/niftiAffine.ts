import type { NiftiFields } from './niftiFields.ts';

/** Where voxels lie in space. */
export interface NiftiAffine {
  /** Voxel indices (i, j, k, 1) to millimetres (or `spaceUnit`), rows of 4: sform, else qform, else spacings. */
  readonly affine: readonly (readonly number[])[];
  readonly affineFrom: 'sform' | 'qform' | 'spacing';
  readonly sformCode: number;
  readonly qformCode: number;
}

/** The affine that a header asks for (nifti1.h, methods 3, 2 and 1). @param warnings take what is odd about it */
export function niftiAffine(fields: NiftiFields, warnings: string[]): NiftiAffine {
  const sformCode = fields.code(254, 348);
  const qformCode = fields.code(252, 344);
  const affineFrom = sformCode > 0 ? 'sform' : qformCode > 0 ? 'qform' : 'spacing';
  const affine = [...ROWS[affineFrom](fields), [0, 0, 0, 1]];
  if (!affine.flat().every(Number.isFinite))
    warnings.push(`the ${affineFrom} holds values that are not numbers`);
  return { affine, affineFrom, sformCode, qformCode };
}

const AXES = [0, 1, 2] as const;

const spacingsOf = (fields: NiftiFields) => AXES.map((k) => fields.real(76, 104, k + 1));

const ROWS: Readonly<Record<NiftiAffine['affineFrom'], (fields: NiftiFields) => number[][]>> = {
  sform: (fields) =>
    AXES.map((row) => [0, 1, 2, 3].map((k) => fields.real(280 + 16 * row, 400 + 32 * row, k))),
  qform(fields) {
    const [b, c, d] = AXES.map((k) => fields.real(256, 352, k)) as [number, number, number];
    const handedness = fields.real(76, 104, 0) < 0 ? -1 : 1;
    const offsets = AXES.map((k) => fields.real(268, 376, k));
    return quaternionRows(b, c, d, spacingsOf(fields), handedness, offsets);
  },
  spacing(fields) {
    const spacings = spacingsOf(fields);
    return AXES.map((row) => [0, 1, 2, 3].map((k) => (k === row ? spacings[row]! : 0)));
  },
};

/** Rotation of a unit quaternion whose real part is implied, columns scaled by the spacings (nifti1.h, method 2). */
function quaternionRows(
  b0: number,
  c0: number,
  d0: number,
  spacings: number[],
  handedness: number,
  offsets: number[],
): number[][] {
  let [b, c, d] = [b0, c0, d0];
  const rest = 1 - (b * b + c * c + d * d);
  let a = 0;
  if (rest < 1e-7) {
    // A rotation by 180 degrees; rounding may have made the vector longer than 1.
    const length = Math.hypot(b, c, d);
    [b, c, d] = [b / length, c / length, d / length];
  } else {
    a = Math.sqrt(rest);
  }
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
  ];
  const scales = [spacings[0]!, spacings[1]!, spacings[2]! * handedness];
  return rotation.map((row, i) => [...row.map((value, k) => value * scales[k]!), offsets[i]!]);
}
