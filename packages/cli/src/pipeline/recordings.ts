import type { Study, Trial } from '@fmri2image/core';

/** Where trials of a continuous stimulus lie in their recordings: runs may be stretches of one (`continues`). */
export function recordingPositions(
  { runs }: Pick<Study, 'runs'>,
  trials: readonly Trial[],
): { volumes: number[]; recordings: string[] } {
  const recordingOf = new Map<string, { name: string; start: number }>();
  let current = { name: '', start: 0 };
  for (const { name, start, continues } of runs) {
    if (!continues) current = { name, start };
    recordingOf.set(name, current);
  }
  const placed = trials.map(({ run, volume }) => ({ ...recordingOf.get(run)!, volume: volume! }));
  return {
    volumes: placed.map(({ volume, start }) => volume - start),
    recordings: placed.map(({ name }) => name),
  };
}
