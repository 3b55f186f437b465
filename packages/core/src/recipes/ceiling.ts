import { targetsOf } from '../decoders/heads/model.ts';
import { planStreamed, type StreamedPlan, targetBlock } from '../decoders/ridge/streamed/index.ts';
import type { StreamedPrecision } from '../decoders/ridge/streamed/types.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
import { F2iError } from '../error.ts';
import { bandBytes, checkBandMemory } from './bands/plan.ts';
import { atLeast, atMost } from './megabytes.ts';
import type { Recipe } from './recipe.ts';
import type { RunDesign, RunKeep } from './runTypes.ts';

/** What a plan counts for a process of its own; one that holds more has less left. */
const PLANNED_PROCESS = 224 * 2 ** 20;
/** Arrays that nothing holds any more, but that the collector or the allocator has not given back: measured. */
const UNCOLLECTED = 64 * 2 ** 20;
/** Beside what operations hold at a time: operands that they pack. */
const PACKED_OPERANDS = 16 * 2 ** 20;
/** What a ceiling of the whole process leaves to its parts. */
export interface MemoryShares {
  /** For the plan of the ridge: by the cheapest arithmetic, and where that will not do by the next ones that fit. */
  readonly ridge: readonly number[];
  /** For the buffers of the device, those that it keeps to use again included. */
  readonly device: number;
}

export interface SharedMemory {
  readonly keep: RunKeep;
  readonly precision: Recipe['precision'];
  readonly form: RidgeForm;
  /** Ceiling of resident bytes. */
  readonly memory: number;
  /** Resident bytes before the run begins, and those of packed responses in memory. */
  readonly resident: number;
}

/**
 * Divides a ceiling. A plan counts what a ridge holds; beside it are the process itself, results on their way to the disk
 * (one for each block that was read ahead, and two turned copies), arrays that wait for the collector, and the buffers that
 * a device keeps.
 *
 * @throws OUT_OF_MEMORY with both numbers, where the cheapest arithmetic does not fit
 */
export function shareMemory({ design, heads, bands }: RunDesign, settings: SharedMemory): MemoryShares {
  const { keep, precision, form, memory, resident } = settings;
  const { train, test, voxels } = design;
  const targets = Math.max(...heads.map(({ head }) => targetsOf(head)));
  const width = Math.min(targetBlock(train), targets);
  const phase = keep === 'predictions' ? 'predict' : form;
  const trainingStatistics =
    form === 'dual' || heads.some(({ head }) => head.renormalise === 'stored-training');
  const sizes = { train, test, voxels, targets, form, trainingStatistics, predictions: keep === 'both' };
  const planned = (one: StreamedPrecision) => planStreamed({ ...sizes, precision: one }, []).bytes;

  const read = train * width * 4;
  const predicted = keep === 'weights' ? 0 : test * width * 4;
  const result = predicted + (keep === 'predictions' ? 0 : (form === 'dual' ? train : voxels) * width * 4);
  const chooses = heads.some(({ head }) => typeof head.alpha !== 'number');
  const choosing = (bytes: StreamedPlan['bytes']) => (chooses ? bytes['cross-validate'] : 0);
  const most = (one: StreamedPrecision) => {
    const bytes = planned(one);
    return Math.max(bytes.gram, bytes.factor, choosing(bytes), bytes[phase]);
  };
  const onDevice = (one: StreamedPrecision) => most(one) - PLANNED_PROCESS + PACKED_OPERANDS;
  /** With one block of targets at work, and another one on its way. */
  const needs = (one: StreamedPrecision) => {
    const bytes = planned(one);
    const process = Math.max(0, resident - PLANNED_PROCESS) + UNCOLLECTED;
    return process + Math.max(bytes.gram, bytes.factor, choosing(bytes), bytes[phase] + 2 * result);
  };
  const cheapest = precision === 'auto' ? 'f32' : precision;
  if (needs(cheapest) > memory) throw refused(needs(cheapest), design, settings);
  const all = (['f32', 'refined', 'f64'] as const).filter(
    (one) => one === cheapest || (precision === 'auto' && needs(one) <= memory),
  );
  // The search for weights of bands comes before the rest, and leaves nothing behind.
  const search = bands && {
    train,
    bands: bands.bands.length,
    precision: precision === 'f32' ? ('f32' as const) : ('f64' as const),
  };
  if (search) checkBandMemory(search, memory, resident + UNCOLLECTED);
  const device = Math.max(search ? bandBytes(search) : 0, ...all.map(onDevice));
  // Each block that is read ahead has its result, too, of which the plan does not know.
  const room = memory - resident - UNCOLLECTED - 2 * result - device;
  const ahead = Math.max(0, Math.floor(room / (2 * (read + result))) - 1);
  const ridge = all.map((one) => Math.max(most(one), planned(one)[phase] + ahead * 2 * read));
  return { device, ridge };
}

/** A plan's ceiling for a device with so much memory of its own: plans count a process, which is not there. */
export const planCeiling = (deviceMemory: number): number => deviceMemory + PLANNED_PROCESS;

/** Memory of a GPU that a run may take. */
export interface GpuCeiling {
  readonly bytes: number;
  /** For people: who set it. */
  readonly whose: string;
}

/**
 * Refuses a design that does not fit into the memory of a GPU by the cheapest arithmetic, before anything is made.
 *
 * @throws OUT_OF_MEMORY with both numbers
 */
export function checkGpu(
  run: RunDesign,
  { keep, precision, form }: Pick<SharedMemory, 'keep' | 'precision' | 'form'>,
  { bytes, whose }: GpuCeiling,
): void {
  const cheapest = precision === 'auto' ? 'f32' : precision;
  const unlimited = { keep, precision: cheapest, form, memory: Number.POSITIVE_INFINITY, resident: 0 };
  const needed = shareMemory(run, unlimited).device;
  if (needed <= bytes) return;
  throw new F2iError(
    'OUT_OF_MEMORY',
    `the ridge does not fit into the memory of the GPU; less takes ${lessTakes(keep, precision)}; --device cpu has the memory of the host`,
    {
      field: 'gpuMemory',
      expected: `at most ${atMost(bytes)}, ${whose}`,
      found: `${atLeast(needed)} for ${run.design.train} training rows x ${run.design.voxels} voxels`,
    },
  );
}

/** What is left to be tried: what is given already, or taken unasked, is not. */
function lessTakes(keep: SharedMemory['keep'], precision: SharedMemory['precision']): string {
  const ways = [
    'fewer training rows (the average of repeats)',
    ...(precision === 'f32' || precision === 'auto' ? [] : ['--precision f32']),
    ...(keep === 'predictions' ? [] : ['--keep predictions']),
  ];
  return ways.join(', or ');
}

function refused(
  needed: number,
  { train, voxels }: RunDesign['design'],
  { keep, precision, memory }: SharedMemory,
): F2iError {
  return new F2iError(
    'OUT_OF_MEMORY',
    `the ridge does not fit into memory; less takes ${lessTakes(keep, precision)}`,
    {
      field: 'memory',
      expected: `at most ${atMost(memory)}`,
      found: `${atLeast(needed)} for ${train} training rows x ${voxels} voxels and all that runs beside`,
    },
  );
}
