import { bytesInWords, type Recording, type RunOptions, runBytes } from '@fmri2image/core';
import { allocatedBytes, checkDiskRoom, fileSystemOf, type Written } from '../diskRoom.ts';
import { unfinishedPath } from '../pipeline/workFolder.ts';
import type { FitOutputs } from './fitOutputs.ts';
import type { Plan } from './plan.ts';
import { inMemoryBytes } from './recording.ts';

/** What runs of recipes write. All of it is made beside the output, and goes from there to its place. */

/**
 * What a fit will write, in words.
 *
 * @param output beside which the run works
 * @throws F2iError IO where the disk has not the room, with both numbers
 */
export async function checkFitDisk(
  { designs }: Plan,
  recording: Recording,
  options: Pick<RunOptions, 'keep' | 'precision' | 'storage'>,
  { predictions }: FitOutputs,
  output: string,
): Promise<string> {
  const bytes = runBytes(designs, options);
  const parts = [
    { what: 'weights', bytes: bytes.weights, at: output },
    { what: 'predictions', bytes: bytes.predictions, at: output },
    { what: 'statistics', bytes: bytes.statistics, at: output },
    packedPart(recording, output),
  ];
  const place = predictions?.path;
  if (place !== undefined && (await fileSystemOf(place)).id !== (await fileSystemOf(output)).id) {
    parts.push({ what: 'a copy of the predictions', bytes: bytes.predictions, at: place });
  }
  const words = await checkParts(parts, output);
  return bytes.mayDouble ? `${words}; ${bytesInWords(bytes.weights)} more if weights need float64` : words;
}

/**
 * What predictions of the test rows take, in words.
 *
 * @param sizes targets of each head
 * @throws F2iError IO where the disk has not the room, with both numbers
 */
export function checkPredictionsDisk(
  recording: Recording,
  rows: number,
  sizes: ReadonlyMap<string, number>,
  output: string,
): Promise<string> {
  const targets = [...sizes.values()].reduce((all, size) => all + size, 0);
  const predictions = { what: 'predictions', bytes: 4 * rows * targets, at: output };
  return checkParts([predictions, packedPart(recording, output)], output);
}

/** Responses that are too many for memory lie in a file until the run is done. */
const packedPart = (recording: Recording, at: string): Written => ({
  what: 'responses, for a while,',
  bytes: inMemoryBytes(recording) > 0 ? 0 : 4 * recording.voxels * recording.trials.length,
  at,
});

/** An unfinished run has made a part of it already. */
const checkParts = async (parts: readonly Written[], output: string): Promise<string> =>
  checkDiskRoom(
    parts.filter(({ bytes }) => bytes > 0),
    await allocatedBytes(unfinishedPath(output)),
  );
