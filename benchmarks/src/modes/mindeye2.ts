import os from 'node:os';
import { measureLimits } from '../limits.ts';
import { type ModelRow, measureMindEye2, modelTable, STAGES, serveChild } from '../mindeye2.ts';
import { cache, chosen, type Mode, note, numberOf, peersFolder, record, show, threadCounts } from './mode.ts';

/** MindEye2 at its published size; each stage in a process of its own, which is this program with `--child`. */
export const mindeye2: Mode = async (options) => {
  const { child, precision, bundle } = options;
  if (child !== undefined) {
    await serveChild(child);
    return 0;
  }
  const rows: ModelRow[] = [];
  const stages = chosen(STAGES, options.stages, 'stages');
  for (const threads of threadCounts(options, [os.availableParallelism()])) {
    const limits = measureLimits(peersFolder, cache, threads);
    note(`limits: ${JSON.stringify(limits)}`);
    const samples = Math.min(numberOf(options, 'samples', '5'), 5);
    rows.push(...measureMindEye2({ stages, precision, bundle, threads, samples, limits, note }));
  }
  record(options, rows);
  show(options, rows, modelTable);
  return 0;
};
