import { NORMALISATIONS, type Normalisation } from '../data/recording/normalisation.ts';

/** What a step of 1 is in the responses that a read-out weighs, in words. */
export interface ResponseUnit {
  /** `unit of response` */
  readonly one: string;
  /** `units of response` */
  readonly many: string;
}

/** Of responses that nothing divided: percent signal change, or whatever the betas were. */
export const UNITS_OF_RESPONSE: ResponseUnit = { one: 'unit of response', many: 'units of response' };

/** @param over what it was estimated from: `over the training rows` */
export const standardDeviations = (over: string): ResponseUnit => ({
  one: `standard deviation of the voxel’s response ${over}`,
  many: `standard deviations of the voxel’s response ${over}`,
});

/**
 * The unit of the voxels of a recipe's design: after its normalisation, and after each row was brought to length 1 where
 * the head asks for it.
 *
 * @param normalisation its name; one that is not known here leaves the unit open
 * @param isBanded whether voxels were multiplied by the root of the weight of their band
 */
export function unitOfDesign(normalisation: string, unitRows: boolean, isBanded = false): ResponseUnit {
  const unit = unitOfNormalised(normalisation);
  const root = isBanded ? ', over the root of the weight of its band' : '';
  const length = `${root}${unitRows ? ' in rows of length 1 (shares of the length of all voxels together)' : ''}`;
  return { one: `${unit.one}${length}`, many: `${unit.many}${length}` };
}

function unitOfNormalised(name: string): ResponseUnit {
  if (!Object.hasOwn(NORMALISATIONS, name)) {
    const unit = `of the response after the normalisation ${name}`;
    return { one: `unit ${unit}`, many: `units ${unit}` };
  }
  const { within, rows }: Normalisation = NORMALISATIONS[name as keyof typeof NORMALISATIONS];
  // The last one counts: what was z-scored again has the unit of that.
  if (rows) return standardDeviations('over the training rows');
  return within ? standardDeviations(`within its ${within.unit}`) : UNITS_OF_RESPONSE;
}
