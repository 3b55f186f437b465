import { F2iError } from '../../error.ts';
import { createRandom, type Random } from '../../random.ts';

export interface DirichletOptions {
  /** Number of candidates; 100 by default. */
  draws?: number | undefined;
  /**
   * Concentrations, used in turn: at 1 every mixture is equally likely, well below 1 most of the weight falls on few
   * bands. [0.1, 1] by default, as himalaya.
   */
  concentration?: readonly number[] | undefined;
  /** 0 by default. */
  seed?: number | undefined;
}

/**
 * Candidate weights for `fitBandedRidge`: points of the simplex from symmetric Dirichlet distributions. The first
 * candidate is no draw but equal weights, so that plain ridge is always among those compared (Dupré la Tour et al. 2022,
 * NeuroImage 264:119728).
 *
 * @param bands how many bands there are
 * @returns `draws` lists of `bands` weights, each list of sum 1
 */
export function dirichletGammas(bands: number, options: DirichletOptions = {}): Float64Array[] {
  const { draws = 100, concentration = [0.1, 1], seed = 0 } = options;
  checkCount('bands', bands);
  checkCount('draws', draws);
  const bad = concentration.find((value) => !(value > 0 && Number.isFinite(value)));
  if (concentration.length === 0 || bad !== undefined) {
    throw invalid(
      'concentration',
      'concentrations are positive',
      'finite numbers above 0',
      `${bad ?? 'none'}`,
    );
  }
  const random = createRandom(seed);
  return Array.from({ length: draws }, (_, draw) =>
    draw === 0
      ? new Float64Array(bands).fill(1 / bands)
      : dirichlet(bands, concentration[draw % concentration.length]!, random),
  );
}

/**
 * Gamma variables of equal shape, divided by their sum (Devroye 1986, chapter XI.4). They are drawn as logarithms: at a
 * small concentration all of them may be too small for a float64.
 */
function dirichlet(bands: number, concentration: number, random: Random): Float64Array {
  const logs = Float64Array.from({ length: bands }, () => logGammaVariate(concentration, random));
  const largest = logs.reduce((a, b) => Math.max(a, b));
  const values = logs.map((log) => Math.exp(log - largest));
  const sum = values.reduce((a, b) => a + b);
  return values.map((value) => value / sum);
}

/**
 * Logarithm of a gamma variable of scale 1, by squeezed rejection from a cubed normal; below a shape of 1 from the next
 * higher shape, G(a) = G(a + 1) U^(1/a) (Marsaglia and Tsang 2000, doi:10.1145/358407.358414).
 */
function logGammaVariate(shape: number, random: Random): number {
  if (shape < 1) return logGammaVariate(shape + 1, random) + Math.log(1 - random.uniform()) / shape;
  const d = shape - 1 / 3;
  for (;;) {
    const z = random.normal();
    const root = 1 + z / Math.sqrt(9 * d);
    const v = root * root * root;
    if (v > 0 && Math.log(1 - random.uniform()) < z ** 2 / 2 + d * (1 - v + Math.log(v)))
      return Math.log(d * v);
  }
}

/** Weights that a search can use: for each candidate one finite weight a band, none negative, not all 0. */
export function checkGammas(gammas: readonly ArrayLike<number>[], bands: number): void {
  if (gammas.length === 0) throw invalid('gammas', 'banded ridge needs candidates', 'one or more', 'none');
  gammas.forEach((candidate, draw) => {
    const field = `gammas[${draw}]`;
    if (candidate.length !== bands) {
      throw invalid(field, 'one weight for each band', `${bands}`, `${candidate.length}`);
    }
    const weights = Array.from(candidate);
    const bad = weights.find((weight) => !(weight >= 0 && Number.isFinite(weight)));
    if (bad !== undefined) throw invalid(field, 'a weight is not negative', 'a finite number', `${bad}`);
    if (!weights.some((weight) => weight > 0)) {
      throw invalid(field, 'this candidate drops every band', 'a weight above 0', 'zeros');
    }
  });
}

function checkCount(field: string, count: number): void {
  if (!Number.isInteger(count) || count < 1) {
    throw invalid(field, 'not a count', 'a whole number, 1 or more', `${count}`);
  }
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
