import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { F2iError, LAYOUTS, layoutOf, loadStudy, type Study } from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import { decodePicture } from './picture.ts';

/** Opens a study by the path of its manifest or of the folder that holds a study.json. */
export async function openStudy(path: string, data: string | undefined, signal: AbortSignal): Promise<Study> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const manifest = isFolder ? join(path, 'study.json') : path;
  if (isFolder) await refuseRecording(path);
  return loadStudy(await nodeFolder(dirname(manifest)), basename(manifest), {
    data: data === undefined ? undefined : await nodeFolder(data),
    codec: decodePicture,
    signal,
  });
}

/** A folder of NSD or BIDS is known as such: what is missing is not its study.json. */
async function refuseRecording(path: string): Promise<void> {
  const layout = await layoutOf(await nodeFolder(path, { followLinks: true }));
  if (layout === undefined || layout === 'study') return;
  throw new F2iError('USAGE', 'this command, and a decoder that was fitted on a study, read studies alone', {
    file: path,
    expected: LAYOUTS.study,
    found: LAYOUTS[layout],
  });
}
