import { F2iError, throwIfAborted } from '../../../error.ts';
import type { Tensor } from '../../../tensor.ts';
import { invalid } from '../fit.ts';
import { asType } from '../matrices.ts';
import type { Context } from './context.ts';
import { directSolver, refinedSolver, type Solver } from './solver.ts';
import type { StreamedSystem } from './system.ts';
import type { StreamedPrecision } from './types.ts';

/** Equations with the factors and hat matrices of the penalties that are in use. */
export class PenalisedSystem {
  readonly system: StreamedSystem;
  readonly #precision: StreamedPrecision;
  readonly #context: Context;
  /** By penalty. */
  readonly #solvers = new Map<number, Solver>();
  readonly #hats = new Map<number, Tensor>();

  constructor(system: StreamedSystem, precision: StreamedPrecision, context: Context) {
    this.system = system;
    this.#precision = precision;
    this.#context = context;
  }

  /** Type of the equations, and of solutions while they are refined. */
  get equationType(): 'f32' | 'f64' {
    return this.#precision === 'f32' ? 'f32' : 'f64';
  }

  /** Type of hat matrices and of results: refined solutions are rounded once. */
  get productType(): 'f32' | 'f64' {
    return this.#precision === 'f64' ? 'f64' : 'f32';
  }

  /** Of a penalty that `keepSolvers` prepared. */
  solver(alpha: number): Solver {
    return this.#solvers.get(alpha)!;
  }

  /** [train, test], of a penalty that `keepHats` prepared. */
  hat(alpha: number): Tensor {
    return this.#hats.get(alpha)!;
  }

  /**
   * How test rows meet the unknowns, [train or voxels, test].
   *
   * @throws INVALID_ARGUMENT for a design without test rows
   */
  testRows(): Tensor {
    const { cross } = this.system;
    if (cross) return cross;
    throw invalid('design', 'predictions need test rows', 'a design with test rows', 'training rows only');
  }

  /** Takes a solver that is there already. */
  adopt(alpha: number, solver: Solver): void {
    this.#solvers.set(alpha, solver);
  }

  /**
   * Factors of these penalties, and of no others.
   *
   * @throws NO_CONVERGENCE where refinement of a factor in float32 fails
   */
  async keepSolvers(alphas: readonly number[]): Promise<void> {
    for (const [alpha, solver] of this.#solvers) {
      if (alphas.includes(alpha)) continue;
      solver.dispose();
      this.#solvers.delete(alpha);
    }
    for (const [i, alpha] of alphas.entries()) {
      throwIfAborted(this.#context.signal, 'the ridge');
      if (this.#solvers.has(alpha)) continue;
      this.#solvers.set(alpha, await this.#makeSolver(alpha));
      this.#context.report('factor', i + 1, alphas.length);
    }
  }

  /** Hat matrices of these penalties, and of no others; what factors they need are made one at a time. */
  async keepHats(alphas: readonly number[]): Promise<void> {
    const cross = this.testRows();
    for (const [alpha, hat] of this.#hats) {
      if (alphas.includes(alpha)) continue;
      hat.dispose();
      this.#hats.delete(alpha);
    }
    for (const alpha of alphas) {
      if (this.#hats.has(alpha)) continue;
      // One factor at a time: only the small matrices stay.
      await this.keepSolvers([alpha]);
      this.#hats.set(alpha, this.#makeHat(alpha, cross));
    }
  }

  dropHats(): void {
    for (const hat of this.#hats.values()) hat.dispose();
    this.#hats.clear();
  }

  dispose(): void {
    for (const solver of this.#solvers.values()) solver.dispose();
    this.#solvers.clear();
    this.dropHats();
    this.system.dispose();
  }

  async #makeSolver(alpha: number): Promise<Solver> {
    const { matrix } = this.system.equations;
    if (this.#precision !== 'refined') return directSolver(matrix, alpha, this.#context);
    const solver = await refinedSolver(matrix, alpha, this.#context);
    if (solver) return solver;
    throw new F2iError('NO_CONVERGENCE', 'refinement does not converge', {
      field: 'alpha',
      expected: 'precision f64 for so small a penalty',
      found: `${alpha}`,
    });
  }

  /** (K + alpha I)⁻¹ K_testᵀ in dual equations, X (XᵀX + alpha I)⁻¹ X_testᵀ in primal ones. */
  #makeHat(alpha: number, cross: Tensor): Tensor {
    const { backend, ops, options } = this.#context;
    const { equations } = this.system;
    return backend.scope(() => {
      const z = this.solver(alpha).solve(cross);
      const wide = equations.form === 'dual' ? z : ops.gemm(equations.design, z);
      return asType(wide, this.productType, options);
    });
  }
}
