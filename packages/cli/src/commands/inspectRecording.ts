import {
  type Arrangement,
  arrange,
  F2iError,
  LAYOUTS,
  layoutOf,
  openRecording,
  type Recording,
  type RecordingLayout,
  SPLIT_NAMES,
  SPLITS,
  stimuliInOrder,
} from '@fmri2image/core';
import { fileSource, nodeFolder } from '@fmri2image/node';
import { type Console, table } from '../console.ts';
import { counted } from './inspectStudy.ts';

/** Choices among what a folder of responses holds. */
export interface RecordingChoices {
  subject?: string;
  roi?: string;
  mask?: string;
  betas?: string;
}

/**
 * Describes a folder of single-trial responses: NSD, MindEye's files of it, or a derivative of BIDS with betas.
 *
 * @returns false for a folder that is none of these
 */
export async function inspectRecording(
  path: string,
  choices: RecordingChoices,
  console: Console,
  signal: AbortSignal,
): Promise<boolean> {
  const folder = await nodeFolder(path, { onRepair: console.warn, followLinks: true });
  const layout = await layoutOf(folder);
  if (layout === undefined || layout === 'study') return false;
  // Reports are derivatives of BIDS, too.
  if (
    layout === 'bids' &&
    !(await folder.list()).some((name) => /_(betas|statmap)\.nii(\.gz)?$/.test(name))
  ) {
    return false;
  }
  const { subject, roi, betas } = choices;
  const mask = choices.mask === undefined ? undefined : await fileSource(choices.mask);
  const recording = await openRecording(folder, { subject, roi, betas, mask, signal });
  recording.close();
  describe(path, recording, console);
  return true;
}

function describe(path: string, recording: Recording & { layout: RecordingLayout }, console: Console): void {
  const { name, layout, trials, voxels, selection, regions, warnings, ledger } = recording;
  const sessions = new Set(trials.map(({ session }) => session)).size;
  const runs = new Set(trials.map(({ session, run }) => `${session}.${run}`)).size;
  const pictures = new Set(trials.map(({ stimulus }) => stimulus)).size;
  const splits = SPLIT_NAMES.flatMap((split) => arranged(recording, split));
  console.result({
    name,
    layout,
    subject: recording.subject,
    trials: trials.length,
    sessions,
    runs,
    pictures,
    stimulusOrder: stimuliInOrder(recording),
    voxels,
    selection: selection.description,
    regions: Object.fromEntries([...regions].map(([region, columns]) => [region, columns.length])),
    splits: Object.fromEntries(
      splits.map(({ name: split, train, test, average, counts, warnings: odd }) => [
        split,
        { train: train.length, test: test.length, average, counts, warnings: odd },
      ]),
    ),
    ledger,
    warnings,
  });
  const line = (text: string) => console.print(`  ${text}`);
  console.print(`${path}: ${LAYOUTS[layout]}: ${name}`);
  line(
    `${counted(trials.length, 'trial')} in ${counted(sessions, 'session')}, ${counted(runs, 'run')}; ${counted(pictures, 'picture')}`,
  );
  line(`pictures ${stimuliInOrder(recording)}: rows of features are in this order`);
  line(`${counted(voxels, 'voxel')} (${selection.description})`);
  for (const { step, note } of ledger) line(`${step}${note ? `: ${note}` : ''}`);
  if (regions.size > 0) {
    console.print('  ROIs, and their voxels among these:');
    console.print(table([...regions].map(([region, columns]) => [`    ${region}`, `${columns.length}`])));
  }
  if (splits.length > 0) console.print('  splits:');
  for (const { name: split, train, test, counts, warnings: odd } of splits) {
    console.print(`    ${split}: ${counts.join(', ')}`);
    console.print(`      rows: ${train.length} for training, ${test.length} for testing${wordsOf(split)}`);
    for (const warning of odd) console.print(`      warning: ${warning}`);
  }
  for (const warning of warnings) line(`warning: ${warning}`);
}

const wordsOf = (split: string) =>
  Object.hasOwn(SPLITS, split) ? `; ${SPLITS[split as keyof typeof SPLITS].of}` : '';

/** Nothing for a split that these trials do not have. */
function arranged(recording: Recording, split: (typeof SPLIT_NAMES)[number]): Arrangement[] {
  try {
    return [arrange(recording, { split })];
  } catch (error) {
    if (error instanceof F2iError && error.code === 'INVALID_ARGUMENT') return [];
    throw error;
  }
}
