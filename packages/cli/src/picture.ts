import { type DecodedPicture, F2iError, readAll, type Source } from '@fmri2image/core';

/** Decodes JPEG, WebP, TIFF and the like by sharp; PNG is read by core. */
export async function decodePicture(source: Source, signal?: AbortSignal): Promise<DecodedPicture> {
  const bytes = await readAll(source, signal);
  const { default: sharp } = await import('sharp');
  try {
    const { data, info } = await sharp(bytes, { failOn: 'warning' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, channels, data: Float32Array.from(data, (value) => value / 255) };
  } catch (cause) {
    throw new F2iError('FORMAT', 'not a readable picture', { file: source.name, cause });
  }
}
