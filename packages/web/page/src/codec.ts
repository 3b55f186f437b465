import { F2iError, type PictureCodec, readAll } from '@fmri2image/core';

/** Decodes what the browser can: JPEG, WebP, AVIF and such. Colour profiles are not applied, as for PNG. */
export const browserCodec: PictureCodec = async (source, signal) => {
  const bytes = (await readAll(source, signal)) as Uint8Array<ArrayBuffer>;
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes]), {
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
    });
  } catch (cause) {
    throw new F2iError('FORMAT', 'the browser cannot decode this picture', { file: source.name, cause });
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, channels: 4, data: Float32Array.from(data, (value) => value / 255) };
};
