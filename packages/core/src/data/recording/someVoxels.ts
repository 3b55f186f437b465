import type { Recording, RecordingFacts } from './recording.ts';
import { checkColumns, takeColumns } from './regions.ts';

/**
 * A recording of some of its voxels alone; `close` closes the whole.
 *
 * @param columns ascending
 * @throws INVALID_ARGUMENT for columns that are not there, or not ascending
 */
export function someVoxels(recording: Recording, columns: Int32Array): Recording {
  checkColumns(columns, recording.voxels);
  return {
    ...factsOf(recording, columns),
    readTrials: async (from, to, signal) =>
      takeVoxels(await recording.readTrials(from, to, signal), recording.voxels, columns),
    close: () => recording.close(),
  };
}

/** What is known of some of the voxels. */
export function factsOf(recording: RecordingFacts, columns: Int32Array): RecordingFacts {
  const { name, subject, trials, ledger, warnings, stimulusName, stimulusOrder } = recording;
  const taken = takeColumns(recording.selection, recording.regions, columns);
  const stimuli = { stimulusName, stimulusOrder };
  return { name, subject, trials, voxels: columns.length, ...taken, ledger, warnings, ...stimuli };
}

/** Some columns of rows: [rows, voxels] to [rows, kept]. */
export function takeVoxels(all: Float32Array, voxels: number, kept: Int32Array): Float32Array {
  if (kept.length === voxels) return all;
  const rows = all.length / voxels;
  const own = new Float32Array(rows * kept.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < kept.length; c++) own[r * kept.length + c] = all[r * voxels + kept[c]!]!;
  }
  return own;
}
