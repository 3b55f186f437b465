import { type MindEyeSubject, openMindEyeSubject } from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';

/** A subject of a folder of files that MindEye2 published of NSD; throws as `openMindEyeSubject`. */
export async function openNsdSubject(
  folder: string,
  subject: number,
  signal: AbortSignal,
): Promise<MindEyeSubject> {
  // Downloads often are links into a cache.
  return openMindEyeSubject(await nodeFolder(folder, { followLinks: true }), subject, signal);
}
