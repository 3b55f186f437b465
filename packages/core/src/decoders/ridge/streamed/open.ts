import { F2iError, throwIfAborted } from '../../../error.ts';
import { hasFloat64 } from '../../../float64.ts';
import { invalid } from '../fit.ts';
import { CONDITION_LIMIT, largestEigenvalueOf } from '../precision.ts';
import { checkChoice } from './choice.ts';
import { contextOf } from './context.ts';
import { PenalisedSystem } from './penalised.ts';
import { planStreamed, targetBlock } from './plan.ts';
import { OpenedRidge } from './ridge.ts';
import { refinedSolver, type Solver } from './solver.ts';
import { Abandoned, readSystem, type StreamedSystem } from './system.ts';
import type {
  Design,
  StreamedNumerics,
  StreamedPrecision,
  StreamedRidge,
  StreamedRidgeOptions,
} from './types.ts';

/** Above this condition number float32 cannot even steer a refinement: its roundoff times it comes near 1. */
export const REFINEMENT_LIMIT = 1e7;

/**
 * Opens a ridge regression on a design that is read in blocks: one pass over the voxels makes the equations
 * (x xᵀ + alpha I), which are factorised once for each penalty; targets then stream through, from their files and to files.
 * Predictions of the test rows need no coefficients: K_test (K + alpha I)⁻¹ y is a product with a small matrix for all
 * targets. What is held is planned first (`planStreamed`).
 *
 * Voxels and targets are centred on their means over training rows exactly, block by block, if there is an intercept.
 * Blocks of computation are fixed: results are the same to the bit whatever the memory, the number of threads (on devices
 * whose products do not depend on it), and wherever an earlier run had stopped.
 *
 * @throws OUT_OF_MEMORY before anything is read, naming what is needed and what there is; INVALID_ARGUMENT for options that
 *   do not fit together, and for voxels that hold NaN; NOT_POSITIVE_DEFINITE when alpha is too small for collinear voxels;
 *   UNSUPPORTED for float64 on a device without; CANCELLED
 *
 * @example
 * const ridge = await openStreamedRidge(design, { backend, alpha: 6e4, intercept: true, memory: 3e9 });
 * await ridge.predict({ source: await openMatrix(file), train: rows }, sink, { alphas: 6e4 });
 * ridge.dispose();
 */
export async function openStreamedRidge(
  design: Design,
  options: StreamedRidgeOptions,
): Promise<StreamedRidge> {
  const { backend, alpha, signal, memory, precision: requested = 'auto' } = options;
  const { train: n, test: m, voxels: p } = design;
  if (!(n >= 2 && m >= 0 && p >= 1)) {
    throw invalid('design', 'too little data', 'two training rows, one voxel', `[${n} + ${m}, ${p}]`);
  }
  const choice = typeof alpha === 'object' && 'grid' in alpha ? alpha : undefined;
  const alphas = choice ? choice.grid : typeof alpha === 'number' ? [alpha] : (alpha as readonly number[]);
  checkAlphas(alphas);
  if (choice) checkChoice(choice);
  const smallest = Math.min(...alphas);
  const form =
    options.form === undefined || options.form === 'auto' ? (n <= p ? 'dual' : 'primal') : options.form;
  const f64 = hasFloat64(backend);
  if (!f64 && (requested === 'f64' || requested === 'refined')) {
    throw new F2iError('UNSUPPORTED', 'this device computes in float32 only', {
      backend: backend.name,
      field: 'precision',
      expected: 'auto or f32',
      found: requested,
    });
  }
  throwIfAborted(signal, 'the ridge');
  const context = contextOf(options);
  const plan = (precision: StreamedPrecision) =>
    planStreamed({ train: n, test: m, voxels: p, precision, form, memory }, ['gram', 'factor']);

  let system: StreamedSystem | undefined;
  let first: Solver | undefined;
  try {
    let precision: StreamedPrecision = requested === 'auto' ? 'f32' : requested;
    plan(precision);
    const enough = (eigenvalue: number) => (eigenvalue + smallest) / smallest <= CONDITION_LIMIT;
    try {
      system = await readSystem(
        design,
        form,
        precision === 'f32' ? 'f32' : 'f64',
        context,
        requested === 'auto' && f64 ? enough : undefined,
      );
    } catch (error) {
      if (!(error instanceof Abandoned)) throw error;
    }
    let eigenvalue = system && (await largestEigenvalueOf(system.equations.matrix, { signal }));
    if (requested === 'auto' && f64 && (eigenvalue === undefined || !enough(eigenvalue))) {
      // The equations themselves must be exact to more digits than float32 has.
      system?.dispose();
      system = undefined;
      precision = 'refined';
      plan(precision);
      system = await readSystem(design, form, 'f64', context);
      eigenvalue = await largestEigenvalueOf(system.equations.matrix, { signal });
    }
    // What is kept from reading voxels: no more than the blocks of targets that the plans of later phases count.
    context.host.limit(2, 4 * n * targetBlock(n));
    const conditionBound = (eigenvalue! + smallest) / smallest;
    let words = `condition number up to ${conditionBound.toExponential(1)}`;
    if (precision === 'refined') {
      if (requested === 'refined' || conditionBound <= REFINEMENT_LIMIT) {
        first = await refinedSolver(system!.equations.matrix, smallest, context);
      }
      if (first) words += `; float32 factors, solutions refined in float64 (${first.steps} corrections)`;
      else {
        precision = 'f64';
        plan(precision);
        words += '; float64, as refinement of float32 factors does not converge';
      }
    } else if (requested === 'auto' && !f64 && conditionBound > CONDITION_LIMIT) {
      words += `, but ${backend.name} has no float64`;
    }
    const numerics: StreamedNumerics = {
      precision,
      conditionBound,
      reason: requested === precision ? `as asked; ${words}` : words,
    };
    const penalised = new PenalisedSystem(system!, precision, context);
    if (first) penalised.adopt(smallest, first);
    return new OpenedRidge(design, penalised, numerics, { ...options, smallest, choice }, context);
  } catch (error) {
    first?.dispose();
    system?.dispose();
    throw error;
  }
}

function checkAlphas(alphas: readonly number[]): void {
  const bad = alphas.find((value) => !(value >= 0 && Number.isFinite(value)));
  if (alphas.length === 0 || bad !== undefined) {
    throw invalid('alpha', 'penalties are not negative', 'finite numbers', `${bad ?? 'none'}`);
  }
}
