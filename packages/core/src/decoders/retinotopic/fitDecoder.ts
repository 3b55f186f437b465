import type { Backend } from '../../backend.ts';
import type { FittedStep } from '../../bundle/contents.ts';
import { fittedBy } from '../../bundle/fittedBy.ts';
import { F2iError } from '../../error.ts';
import { columnStats } from '../../ops/index.ts';
import { rowExtents } from '../../rows.ts';
import { checkOutput } from '../decoder.ts';
import type { FoldProblem } from './choose.ts';
import { type Encoding, type EncodingSettings, fitEncoding } from './encoding.ts';
import { pixelExtent, type VisualExtent } from './fields.ts';
import { planBlocks } from './folds.ts';
import { type FieldGrid, paintGrid } from './grid.ts';
import { hrfCurve, hrfSeconds } from './hrf.ts';
import type { RetinotopicModel } from './model.ts';
import { weighVoxels } from './noise.ts';
import {
  type RetinotopicDecoderOptions,
  type RetinotopicSettings,
  type RetinotopicTrainingData,
  retinotopicSettings,
} from './options.ts';
import { type Selection, selectSettings } from './select.ts';
import { volumePositions } from './timing.ts';

export interface RetinotopicProgress {
  readonly phase: 'response' | 'regularisation' | 'receptive fields';
  readonly done: number;
  readonly total: number;
}

export interface RetinotopicFitContext {
  backend: Backend;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: RetinotopicProgress) => void) | undefined;
}

/** Matrices between pixels are held: larger pictures are to be reduced first. */
const MOST_PIXELS = 4096;

/** Fits the plain values of a retinotopic decoder. */
export async function fitRetinotopicModel(
  data: RetinotopicTrainingData,
  options: RetinotopicDecoderOptions,
  { backend, signal, onProgress }: RetinotopicFitContext,
): Promise<RetinotopicModel> {
  const checked = checkData(data);
  const { n, v, size, pixels, output, runs, groups, positions, visual } = checked;
  const recordings = new Set(positions.map(({ recording }) => recording)).size;
  const settings = retinotopicSettings(options, recordings);
  const host = { voxels: Float32Array.from(data.voxels.data), frames: scaleFrames(data, output.range) };
  const { bounds, iterations } = settings;
  const encodingSettings: EncodingSettings = {
    ...settings,
    model: settings.prf,
    iterations: settings.refinements,
  };
  const device = backend.scope(() => ({
    voxels: backend.tensor(host.voxels, [n, v]),
    frames: backend.tensor(host.frames, [n, pixels]),
  }));
  let grid: FieldGrid | undefined;
  try {
    await checkVoxels(device.voxels, v, signal);
    grid = await paintGrid(backend, settings.prf, visual, size, { signal });
    const series = { ...device, grid, host, positions, visual, size, tr: data.repetitionTime };
    const problem: FoldProblem = {
      data: series,
      // Refinement changes what is decoded little and takes most of the time.
      encoding: { ...encodingSettings, iterations: 0 },
      inversion: { bounds, iterations, blockDrift: settings.blockDrift[0]! },
      folds: planBlocks(options.folds, n, groups),
    };
    const selection = await selectSettings(problem, settings, {
      signal,
      report: (phase, done, total) => onProgress?.({ phase, done, total }),
    });
    onProgress?.({ phase: 'receptive fields', done: 0, total: 1 });
    const chosen = selection.regularisation;
    const encoding = await fitEncoding(series, selection.hrf, encodingSettings, { signal });
    const { fields, residuals, voxel } = encoding;
    const weighting = await weighVoxels(backend, fields, residuals, voxel.length, chosen, {
      signal,
    });
    const warnings = warningsOf(encoding, selection, n);
    return {
      input: { voxels: v, ...data.input, repetitionTime: data.repetitionTime },
      output,
      visual,
      voxel,
      theta: encoding.theta,
      amplitude: Float32Array.from(encoding.amplitude),
      baseline: Float32Array.from(encoding.baseline),
      correlation: Float32Array.from(encoding.correlation),
      kernel: encoding.kernel,
      curve: hrfCurve(encoding.hrf, hrfSeconds(encoding.hrf)),
      ...weighting,
      config: {
        prf: settings.prf,
        hrf: encoding.hrf,
        acquisition: settings.acquisition,
        guardSeconds: settings.guardSeconds,
        signed: settings.signed,
        threshold: settings.threshold,
        ...chosen,
        ...selection.inversion,
      },
      report: { ...reportOf(encoding, selection, n, warnings), fittedBy: fittedBy(backend) },
      warnings,
      ledger: [
        ...(data.ledger ?? []),
        ...fittedSteps(encoding, selection, settings, runs, data.sawTest ?? 'unknown'),
      ],
    };
  } finally {
    grid?.dispose();
    device.voxels.dispose();
    device.frames.dispose();
  }
}

function checkData(data: RetinotopicTrainingData) {
  const [n, v] = rowExtents(data.voxels, 'voxels');
  const [rows, pixels] = rowExtents(data.targets, 'targets');
  if (rows !== n) throw invalid('targets', 'one picture for each volume', `${n}`, `${rows}`);
  const shape = data.targets.shape.slice(1);
  const output = data.output ?? { kind: 'picture' as const, shape, range: [0, 1] as const };
  checkOutput(output, shape);
  const [height, width = 0, channels = 1] = shape as [number, number?, number?];
  if (channels !== 1) {
    throw invalid(
      'targets',
      'receptive fields are those of grey pictures',
      '[n, height, width]',
      `[${data.targets.shape}]`,
    );
  }
  if (pixels > MOST_PIXELS) {
    throw invalid(
      'targets',
      'too many pixels; reduce the pictures first',
      `at most ${MOST_PIXELS}`,
      `${pixels}`,
    );
  }
  const { repetitionTime } = data;
  if (!(repetitionTime > 0 && repetitionTime < 100)) {
    throw invalid('repetitionTime', 'seconds from one volume to the next', 'above 0', `${repetitionTime}`);
  }
  const labels = (field: 'runs' | 'groups' | 'volumes' | 'recordings') => {
    const list = data[field];
    if (list && list.length !== n) throw invalid(field, 'one for each volume', `${n}`, `${list.length}`);
    return list && Array.from(list as ArrayLike<string | number>, String);
  };
  const runs = labels('runs') ?? new Array<string>(n).fill('run');
  const groups = labels('groups') ?? runs;
  labels('volumes');
  labels('recordings');
  const positions = volumePositions(runs, data.volumes, data.recordings);
  const visual: VisualExtent = data.visualField
    ? { unit: 'degrees', extent: checkExtent(data.visualField) }
    : pixelExtent(height, width);
  const named = data.runs === undefined ? [] : [...new Set(runs)];
  return { n, v, size: [height, width] as const, pixels, output, runs: named, groups, positions, visual };
}

function checkExtent(extent: VisualExtent['extent']): VisualExtent['extent'] {
  const { left, right, top, bottom } = extent;
  if (![left, right, top, bottom].every(Number.isFinite) || left >= right || top === bottom) {
    const found = `left ${left}, right ${right}, top ${top}, bottom ${bottom}`;
    throw invalid('visualField', 'not the edges of a picture', 'degrees, left below right', found);
  }
  return { left, right, top, bottom };
}

/** Pictures with black 0 and white 1. */
function scaleFrames(
  { targets }: RetinotopicTrainingData,
  [black, white]: readonly [number, number],
): Float32Array {
  let varies = false;
  const frames = Float32Array.from(targets.data, (value, i) => {
    if (!Number.isFinite(value))
      throw invalid('targets', 'pictures hold NaN or infinity', 'finite pixels', `${value} at element ${i}`);
    if (value !== targets.data[0]) varies = true;
    return (value - black) / (white - black);
  });
  if (!varies) throw invalid('targets', 'all pictures are one grey', 'a stimulus that moves', 'no contrast');
  return frames;
}

async function checkVoxels(
  voxels: Parameters<typeof columnStats>[0],
  count: number,
  signal: AbortSignal | undefined,
) {
  const [mean, std] = (await voxels.backend.compute(() => {
    const stats = columnStats(voxels, { signal });
    return [stats.mean, stats.std];
  })) as [Float32Array, Float32Array];
  const bad = Array.from(mean, (_, i) => i).filter(
    (i) => !Number.isFinite(mean[i]) || !Number.isFinite(std[i]),
  );
  if (bad.length > 0) {
    const which = `${bad.length} of ${count} voxels (${bad.length > 5 ? 'first ' : ''}${bad.slice(0, 5).join(', ')})`;
    throw invalid('voxels', 'voxels hold NaN or infinity', 'finite responses', which);
  }
  if (std.every((value) => value === 0)) {
    throw invalid('voxels', 'no voxel varies over the training volumes', 'at least one', 'none');
  }
}

function fittedSteps(
  { hrf, voxel, rows }: Encoding,
  selection: Selection,
  settings: RetinotopicSettings,
  runs: readonly string[],
  sawTest: FittedStep['sawTest'],
): FittedStep[] {
  const inside = 'chosen by cross-validation inside the training volumes';
  const guard = `${rows.length} volumes; those within ${settings.guardSeconds} s after frames that are not training are left out`;
  const steps: FittedStep[] = [];
  if (settings.hrf === 'fitted') {
    const note = `peak ${hrf.peak.toFixed(2)} s, width ${hrf.width.toFixed(2)} s, undershoot ${hrf.undershoot}; one for all voxels`;
    steps.push({ step: 'haemodynamic response', runs, sawTest, note });
  }
  steps.push(
    { step: `receptive fields (${settings.prf}), amplitudes and baselines`, runs, sawTest, note: guard },
    {
      step: `choice of ${voxel.length} voxels`,
      runs,
      sawTest,
      note: `training correlation of at least ${settings.threshold}`,
    },
    { step: 'noise covariance', runs, sawTest, note: 'from the residuals of the receptive fields' },
  );
  if (selection.report.crossValidation) {
    steps.push({ step: 'regularisation of the inversion', runs, sawTest, note: inside });
  }
  return steps;
}

function reportOf(
  { voxel, rows, correlation }: Encoding,
  selection: Selection,
  trials: number,
  warnings: readonly string[],
): RetinotopicModel['report'] {
  const sorted = Float64Array.from(correlation).sort();
  return {
    trials,
    fittedOn: rows.length,
    voxels: voxel.length,
    medianCorrelation: sorted[Math.floor(sorted.length / 2)]!,
    ...selection.report,
    warnings: [...warnings],
  };
}

function warningsOf({ voxel, rows }: Encoding, { score }: Selection, n: number): string[] {
  const warnings: string[] = [];
  if (voxel.length < 20)
    warnings.push(`only ${voxel.length} voxels follow the stimulus well enough to be used`);
  if (rows.length < n / 2)
    warnings.push(`${n - rows.length} of ${n} training volumes lie within the guard and were left out`);
  if (score !== undefined && score < 0.05) {
    warnings.push(
      'inside the training volumes nothing was reconstructed better than chance: the choice of settings is arbitrary',
    );
  }
  return warnings;
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
