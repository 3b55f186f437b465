import type { Values } from '../../../data/matrix/matrix.ts';
import { matrixInMemory, memorySink } from '../../../data/matrix/memory.ts';
import { F2iError, throwIfAborted } from '../../../error.ts';
import { mul, permute, sub } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';
import { crossValidate } from '../crossValidate.ts';
import { invalid } from '../fit.ts';
import { asType } from '../matrices.ts';
import { precisionWarning } from '../precision.ts';
import { type AlphaSelection, borderWarnings, selectAlphas } from '../select.ts';
import type { RidgeForm } from '../types.ts';
import { checkChoice } from './choice.ts';
import type { Context } from './context.ts';
import { crossValidationFlops } from './flops.ts';
import type { PenalisedSystem } from './penalised.ts';
import { perAlpha, type TargetAlphas, targetAlphas } from './perAlpha.ts';
import { planStreamed } from './plan.ts';
import {
  type BlockResult,
  checkTargets,
  streamTargets,
  type TargetsOnDevice,
  targetSource,
} from './targetBlocks.ts';
import type {
  AlphaChoice,
  Design,
  DesignTargets,
  Streamed,
  StreamedNumerics,
  StreamedPhase,
  StreamedRidge,
  StreamedRidgeOptions,
  StreamedSink,
  StreamOptions,
  WeightOptions,
} from './types.ts';
import { streamVoxelWeights } from './voxelWeights.ts';

interface Settings extends StreamedRidgeOptions {
  /** Smallest penalty that the precision was chosen for. */
  readonly smallest: number;
  readonly choice: AlphaChoice | undefined;
}

/** Targets stream through equations on a device, with the factors and hat matrices that the last set of them needed. */
export class OpenedRidge implements StreamedRidge {
  readonly form: RidgeForm;
  readonly numerics: StreamedNumerics;
  readonly #design: Design;
  readonly #penalised: PenalisedSystem;
  readonly #settings: Settings;
  readonly #context: Context;
  #border: readonly string[] = [];
  #disposed = false;

  constructor(
    design: Design,
    penalised: PenalisedSystem,
    numerics: StreamedNumerics,
    settings: Settings,
    context: Context,
  ) {
    this.form = penalised.system.equations.form;
    this.numerics = numerics;
    this.#design = design;
    this.#penalised = penalised;
    this.#settings = settings;
    this.#context = context;
  }

  get warnings(): readonly string[] {
    const warning = precisionWarning(this.numerics);
    return [...(warning === undefined ? [] : [warning]), ...this.#border];
  }

  get work(): { readonly flops: number; readonly fileSeconds: number } {
    const { flops, fileSeconds } = this.#context.tally;
    return { flops, fileSeconds };
  }

  async choose(targets: DesignTargets, choice = this.#settings.choice): Promise<AlphaSelection> {
    const context = this.#begin(targets);
    if (!choice) throw invalid('alpha', 'no penalties to choose from', '{ grid, folds, score }', 'one alpha');
    checkChoice(choice);
    const { grid, folds, score, perTarget } = choice;
    for (const alpha of grid) this.#checkAlpha(alpha);
    this.#plan('cross-validate', { alphas: grid.length });
    const { signal, intercept, tally } = context;
    const { equations } = this.#penalised.system;
    const { columns } = targets.source;
    const work = crossValidationFlops(equations, folds, grid.length, columns);
    const before = tally.flops;
    const table = await crossValidate(equations, targetSource(targets, context), grid, folds, {
      signal,
      intercept,
      score,
      onProgress: ({ done, total }) => {
        tally.flops = before + (work * done) / total;
        context.report('cross-validate', done, total);
      },
    });
    const selection = selectAlphas(grid, table, perTarget);
    this.#border = borderWarnings(selection);
    return selection;
  }

  async predict(targets: DesignTargets, sink: StreamedSink, options: StreamOptions): Promise<Streamed> {
    const context = this.#begin(targets);
    const alphas = this.#alphasOf(targets, options);
    const { trainingStatistics = false, from = 0 } = options;
    const { readAtOnce } = this.#plan('predict', {
      targets: targets.source.columns,
      alphas: alphas.distinct.length,
      trainingStatistics,
    });
    const penalised = this.#penalised;
    await penalised.keepHats(alphas.distinct);
    if (trainingStatistics) await penalised.keepSolvers(alphas.distinct);
    // A factor is of no use any more: kept for `dual` where nobody counts memory.
    else if (this.#settings.memory !== undefined) await penalised.keepSolvers([]);
    const { ops, options: plain } = context;
    const dtype = penalised.productType;
    return streamTargets(context, targets, sink, {
      phase: 'predict',
      dtype: trainingStatistics ? penalised.equationType : dtype,
      from,
      readAtOnce: readAtOnce.predict,
      compute: (block) => {
        const y = asType(block.y, dtype, plain);
        const mean = block.mean && asType(block.mean, dtype, plain);
        const each = (alpha: number, some: Tensor, bias: Tensor | undefined) =>
          ops.gemm(penalised.hat(alpha), some, { transA: true, bias });
        const values = perAlpha(y, alphas.of(block.from, block.to), each, plain, mean);
        const fitted = trainingStatistics ? this.#fit(block, alphas, true).fitted : undefined;
        return { values, fitted };
      },
    });
  }

  async dual(targets: DesignTargets, sink: StreamedSink, options: WeightOptions): Promise<Streamed> {
    if (this.form === 'primal') {
      throw invalid('form', 'weights of trials come from dual equations', 'form dual', 'form primal');
    }
    return this.#solve('dual', targets, sink, options);
  }

  async primal(targets: DesignTargets, sink: StreamedSink, options: WeightOptions): Promise<Streamed> {
    if (this.form === 'primal') return this.#solve('primal', targets, sink, options);
    const context = this.#begin(targets);
    const alphas = this.#alphasOf(targets, options);
    const { trainingStatistics = false, byTarget = false, from = 0, predictions } = options;
    const cross = predictions && this.#penalised.testRows();
    const { primalAtOnce } = this.#plan('primal', {
      targets: targets.source.columns,
      alphas: alphas.distinct.length,
      trainingStatistics,
      predictions: predictions !== undefined,
    });
    this.#penalised.dropHats();
    await this.#penalised.keepSolvers(alphas.distinct);
    return streamVoxelWeights(context, this.#design, targets, sink, {
      dtype: this.#penalised.equationType,
      output: this.#penalised.productType,
      from,
      atOnce: primalAtOnce,
      byTarget,
      beside: predictions,
      compute: (block) => {
        const fit = this.#fit(block, alphas, trainingStatistics);
        return { ...fit, beside: cross && this.#predicted(cross, fit.values, block.mean) };
      },
    });
  }

  async hat(alpha: number): Promise<Tensor> {
    this.#open();
    this.#checkAlpha(alpha);
    this.#plan('predict', { alphas: 1 });
    await this.#penalised.keepHats([alpha]);
    return this.#penalised.hat(alpha);
  }

  async predictRows(y: Values, alpha: number): Promise<Values> {
    const { train, test } = this.#design;
    const columns = y.length / train;
    const source = matrixInMemory({ data: y, shape: [train, columns] }, 'y');
    const sink = memorySink(test, columns, this.#penalised.productType);
    const rows = Int32Array.from({ length: train }, (_, i) => i);
    await this.predict({ source, train: rows }, sink, { alphas: alpha });
    return sink.values;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#penalised.dispose();
  }

  /** Weights by the equations' own unknowns: trials or voxels. */
  async #solve(
    phase: 'dual' | 'primal',
    targets: DesignTargets,
    sink: StreamedSink,
    options: WeightOptions,
  ): Promise<Streamed> {
    const context = this.#begin(targets);
    const alphas = this.#alphasOf(targets, options);
    const { trainingStatistics = false, byTarget = false, from = 0, predictions } = options;
    const cross = predictions && this.#penalised.testRows();
    const { readAtOnce } = this.#plan(phase, {
      targets: targets.source.columns,
      alphas: alphas.distinct.length,
      trainingStatistics,
      predictions: predictions !== undefined,
    });
    this.#penalised.dropHats();
    await this.#penalised.keepSolvers(alphas.distinct);
    return streamTargets(context, targets, sink, {
      phase,
      dtype: this.#penalised.equationType,
      from,
      readAtOnce: readAtOnce[phase],
      beside: predictions,
      compute: (block) => {
        const { values, fitted } = this.#fit(block, alphas, trainingStatistics);
        const weights = asType(values, this.#penalised.productType, context.options);
        return {
          values: byTarget ? permute(weights, [1, 0], context.options) : weights,
          fitted,
          beside: cross && this.#predicted(cross, values, block.mean),
        };
      },
    });
  }

  /** Predictions of the test rows out of a solution [train or voxels, t]. */
  #predicted(cross: Tensor, solution: Tensor, mean: Tensor | undefined): Tensor {
    const { ops, options } = this.#context;
    const predictions = ops.gemm(cross, solution, { transA: true, bias: mean });
    return asType(predictions, this.#penalised.productType, options);
  }

  /** Solutions of a block in the type of the equations, and the predictions of its training rows. */
  #fit({ from, to, y }: TargetsOnDevice, alphas: TargetAlphas, wantFitted: boolean): BlockResult {
    const { ops, options, backend } = this.#context;
    const { equations } = this.#penalised.system;
    const own = alphas.of(from, to);
    const sides = equations.form === 'dual' ? y : ops.gemm(equations.design, y, { transA: true });
    const values = perAlpha(sides, own, (alpha, b) => this.#penalised.solver(alpha).solve(b), options);
    if (!wantFitted) return { values };
    if (equations.form === 'primal') return { values, fitted: ops.gemm(equations.design, values) };
    // (K + alpha I) c = y, hence K c = y - alpha c.
    const { equationType } = this.#penalised;
    const row = equationType === 'f64' ? own.slice() : Float32Array.from(own);
    const penalties = backend.tensor(row, [own.length], equationType);
    return { values, fitted: sub(y, mul(values, penalties, options), options) };
  }

  #open(): Context {
    if (this.#disposed) throw new F2iError('DISPOSED', 'the ridge was used after dispose()');
    throwIfAborted(this.#context.signal, 'the ridge');
    return this.#context;
  }

  #begin(targets: DesignTargets): Context {
    checkTargets(targets, this.#design.train);
    return this.#open();
  }

  #alphasOf({ source }: DesignTargets, { alphas }: StreamOptions): TargetAlphas {
    if (typeof alphas !== 'number' && alphas.length !== source.columns) {
      throw invalid('alphas', 'one alpha for each target', `${source.columns}`, `${alphas.length}`);
    }
    const all = targetAlphas(alphas, source.columns);
    for (const alpha of all.distinct) this.#checkAlpha(alpha);
    return all;
  }

  #checkAlpha(alpha: number): void {
    const { smallest } = this.#settings;
    if (alpha >= smallest && Number.isFinite(alpha)) return;
    throw invalid(
      'alpha',
      'the precision was chosen for larger penalties: open the ridge for this one, too',
      `at least ${smallest}`,
      `${alpha}`,
    );
  }

  #plan(
    phase: StreamedPhase,
    more: { targets?: number; alphas: number; trainingStatistics?: boolean; predictions?: boolean },
  ): ReturnType<typeof planStreamed> {
    const { train, test, voxels } = this.#design;
    const { precision } = this.numerics;
    const { memory } = this.#settings;
    return planStreamed({ train, test, voxels, precision, form: this.form, memory, ...more }, [phase]);
  }
}
