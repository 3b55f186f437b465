import { checkGpu, type GpuCeiling, type MemoryShares, planCeiling, shareMemory } from './ceiling.ts';
import { formOf } from './form.ts';
import type { RunDesign, RunOptions } from './runTypes.ts';

/**
 * Divides the ceiling of a run before anything is made: the device is to be opened with its share.
 *
 * @param resident bytes of the process by now, and those of packed responses in memory
 * @returns the largest share of the device that a design needs; undefined without a ceiling
 * @throws OUT_OF_MEMORY with both numbers
 */
export function checkMemory(
  designs: readonly RunDesign[],
  options: Pick<RunOptions, 'keep' | 'precision' | 'storage' | 'memory'>,
  resident: number,
): number | undefined {
  const shares = designs.map((run) => sharesOf(run, { ...options, resident }));
  return shares[0] && Math.max(...shares.map((one) => one!.device));
}

/**
 * The same for a GPU, whose memory is its own.
 *
 * @throws OUT_OF_MEMORY with both numbers
 */
export function checkGpuMemory(
  designs: readonly RunDesign[],
  { keep, precision, storage }: Pick<RunOptions, 'keep' | 'precision' | 'storage'>,
  ceiling: GpuCeiling,
): void {
  for (const run of designs)
    checkGpu(run, { keep, precision, form: formOf(run.design, { storage }) }, ceiling);
}

/**
 * Ceilings for the plan of a design's ridge, to be tried one after the other: undefined where nothing is limited.
 *
 * @throws OUT_OF_MEMORY with both numbers
 */
export function ceilingsOf(run: RunDesign, options: RunOptions): readonly (number | undefined)[] {
  const { deviceMemory } = options;
  const ofProcess = sharesOf(run, options)?.ridge ?? [undefined];
  if (deviceMemory === undefined) return ofProcess;
  const ofDevice = planCeiling(deviceMemory);
  return ofProcess.map((bytes) => (bytes === undefined ? ofDevice : Math.min(bytes, ofDevice)));
}

function sharesOf(
  run: RunDesign,
  options: Pick<RunOptions, 'keep' | 'precision' | 'storage' | 'memory' | 'resident'>,
): MemoryShares | undefined {
  const { keep, precision, memory, resident = 0 } = options;
  if (memory === undefined) return undefined;
  return shareMemory(run, { keep, precision, memory, resident, form: formOf(run.design, options) });
}
