import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { loadStudy, type Study } from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import { decodePicture } from './picture.ts';

/** Opens a study by the path of its manifest or of the folder that holds a study.json. */
export async function openStudy(path: string, data: string | undefined, signal: AbortSignal): Promise<Study> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const manifest = isFolder ? join(path, 'study.json') : path;
  return loadStudy(await nodeFolder(dirname(manifest)), basename(manifest), {
    data: data === undefined ? undefined : await nodeFolder(data),
    codec: decodePicture,
    signal,
  });
}
