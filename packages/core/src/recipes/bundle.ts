import type { FittedStep } from '../bundle/contents.ts';
import type { HeadStatistics, HeadsConfig } from '../decoders/heads/model.ts';
import type { DesignNumbers, HeadsBundle } from '../decoders/heads/save.ts';
import type { BandWeights } from './bands/weighBands.ts';
import { type DescribedDesign, type DescribedRun, orderedHeads } from './describedRun.ts';
import { voxelBlocks } from './designs.ts';
import { headsReport } from './headsReport.ts';
import type { RecipeHead } from './recipe.ts';

/** Steps of the fit itself, as the ledger records them: its choices and what renormalises predictions. */
export function fittedSteps({ recipe, designs, outcome, runs, ledger }: DescribedRun): FittedStep[] {
  const unique = new Map<string, FittedStep>();
  for (const step of [...ledger, ...designs.flatMap(({ design }) => design.ledger)]) {
    unique.set(JSON.stringify(step), step);
  }
  const steps = [...unique.values()];
  for (const { head, design } of orderedHeads({ recipe, designs })) {
    const { name, alpha, renormalise, unitVoxels, unitTargets } = head;
    const { storage } = outcome.heads.find((one) => one.name === name)!;
    const units = [unitVoxels && 'rows of voxels', unitTargets && 'tokens'].filter(Boolean);
    const length = units.length > 0 ? `; ${units.join(' and ')} of length 1` : '';
    steps.push({
      step: `ridge weights of ${name}`,
      runs: [...runs],
      sawTest: 'no',
      note: `${storage}, ${head.intercept ? 'with' : 'without'} intercept${length}`,
    });
    const bands = outcome.bands[design];
    if (bands) steps.push(bandStep(name, bands.weights, runs));
    const penalty = `ridge penalty of ${name}`;
    if (typeof alpha === 'number') {
      steps.push({ step: penalty, runs: [], sawTest: 'no', note: `alpha ${alpha}, stated and not fitted` });
    } else {
      const { folds, score, perTarget, grid } = alpha;
      const how = folds.seed === undefined ? 'blocks of successive rows' : `shuffled by seed ${folds.seed}`;
      const together = folds.together ? ', repeats of a picture together' : '';
      steps.push({
        step: penalty,
        runs: [...runs],
        sawTest: 'no',
        note: `of ${grid.length} from ${Math.min(...grid)} to ${Math.max(...grid)}, by ${score} over ${folds.count} folds (${how}${together}), ${perTarget ? 'one a target' : 'one for all'}`,
      });
    }
    steps.push(...renormalisationStep(head.name, renormalise, runs));
  }
  return steps;
}

/** How the penalties of bands came about, relative to each other. */
function bandStep(head: string, weights: BandWeights, runs: readonly string[]): FittedStep {
  const { bands, candidates, score, values, of, chosen, plain } = weights;
  const list = bands.map(({ name, weight }) => `${name} ${short(weight)}`).join(', ');
  const scored = values < of ? `${values} of ${of} values` : `${of} values`;
  return {
    step: `weights of bands of ${head}`,
    runs: [...runs],
    sawTest: 'no',
    note: `${list}: of ${candidates} candidates, by the mean ${score} of ${scored} over folds, ${short(chosen)} (equal weights ${short(plain)})`,
  };
}

const short = (value: number) => `${Number(value.toPrecision(3))}`;

/** What renormalises the predictions of a head. */
export function renormalisationStep(
  head: string,
  by: RecipeHead['renormalise'],
  runs: readonly string[],
): FittedStep[] {
  if (by === 'none') return [];
  const step = `mean and standard deviation of predictions of ${head}`;
  return by === 'stored-training'
    ? [{ step, runs: [...runs], sawTest: 'no', note: 'of training predictions, stored' }]
    : [
        {
          step,
          runs: [],
          sawTest: 'yes',
          note: 'transductive: taken from the predictions of the test rows themselves (no stimuli, no targets)',
        },
      ];
}

/** `config` of the bundle. */
export function headsConfigOf({ recipe, designs, outcome }: DescribedRun): HeadsConfig {
  return {
    recipe: recipe.name,
    split: recipe.split,
    normalisation: recipe.normalisation,
    testAverage: recipe.testAverage,
    input: designs.every(({ design }) => design.statistics) ? 'betas' : 'normalised',
    designs: designs.map(({ roi, design, average, intercept, unitVoxels }) => ({
      roi,
      voxels: design.voxels,
      rows: design.train,
      average,
      intercept,
      unitVoxels,
    })),
    heads: orderedHeads({ recipe, designs }).map(({ head, design }) => ({
      name: head.name,
      what: head.what,
      shape: [...head.shape],
      design,
      storage: outcome.heads.find(({ name }) => name === head.name)!.storage,
      renormalise: head.renormalise,
      unitTargets: head.unitTargets,
    })),
  };
}

/**
 * What a bundle of a run says beside its matrices.
 *
 * @param statistics of a head's targets
 */
export async function headsBundle(
  run: DescribedRun,
  statistics: (head: string) => Promise<HeadStatistics> | HeadStatistics,
): Promise<HeadsBundle> {
  const { designs, outcome, input } = run;
  const config = headsConfigOf(run);
  return {
    config,
    input,
    report: headsReport(run),
    ledger: fittedSteps(run),
    designs: await Promise.all(
      designs.map((design, d) => numbersOf(design, config, outcome.centers[d]!, outcome.bands[d]?.scale)),
    ),
    statistics: await Promise.all(config.heads.map(({ name }) => statistics(name))),
  };
}

/** Statistics of the voxels of a design; of one that is normalised by session, nothing is left to subtract. */
async function numbersOf(
  { design, columns }: DescribedDesign,
  { input }: HeadsConfig,
  center: Float32Array,
  scale: Float32Array | undefined,
): Promise<DesignNumbers> {
  const mean = new Float32Array(design.voxels);
  const std = new Float32Array(design.voxels).fill(1);
  if (input === 'betas') {
    for (const [from, to] of voxelBlocks(design.voxels)) {
      const block = design.statistics!(from, to);
      mean.set(block.mean, from);
      std.set(block.std, from);
    }
  }
  // What multiplies a voxel divides what divides it; one of a band without weight becomes 0, as one that never varied.
  if (scale) for (let v = 0; v < std.length; v++) std[v] = scale[v]! > 0 ? std[v]! / scale[v]! : 0;
  return { columns, mean, std, center };
}
