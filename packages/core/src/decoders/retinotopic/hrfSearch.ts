import { familyHrf, HRF_PEAKS, HRF_UNDERSHOOTS, HRF_WIDTHS, type Hrf } from './hrf.ts';

export interface HrfChoice {
  readonly hrf: Hrf;
  /** How many were compared. */
  readonly candidates: number;
  /** Mean r² over voxels with the chosen one, on a part of the grid. */
  readonly explained: number;
}

/** Steps of the search around the best response of the library, in seconds; each is tried in both directions. */
const STEPS = [
  { peak: 0.25, width: 0 },
  { peak: 0, width: 0.35 },
  { peak: 0.12, width: 0 },
  { peak: 0, width: 0.2 },
];
/** The undershoot that peaks and widths are compared at first. */
const FIRST_UNDERSHOOT = 0.15;

/**
 * Finds the response that explains most: all peaks and widths of the library, then the undershoots, then small steps of
 * peak and width.
 */
export async function chooseHrf(score: (hrf: Hrf) => Promise<number>): Promise<HrfChoice> {
  let [hrf, explained, candidates] = [familyHrf(5, 2.25, 0), Number.NEGATIVE_INFINITY, 0];
  const compare = async (candidate: Hrf) => {
    const value = await score(candidate);
    candidates++;
    if (value <= explained) return;
    [hrf, explained] = [candidate, value];
  };
  for (const peak of HRF_PEAKS) {
    for (const width of HRF_WIDTHS) await compare(familyHrf(peak, width, FIRST_UNDERSHOOT));
  }
  const { peak, width } = hrf;
  for (const undershoot of HRF_UNDERSHOOTS) {
    if (undershoot !== FIRST_UNDERSHOOT) await compare(familyHrf(peak, width, undershoot));
  }
  for (const step of STEPS) {
    const from = hrf;
    for (const sign of [-1, 1]) {
      await compare(familyHrf(from.peak + sign * step.peak, from.width + sign * step.width, from.undershoot));
    }
  }
  return { hrf, candidates, explained };
}
