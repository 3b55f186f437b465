export { type Gifti, type GiftiArray, isGifti, openGifti, readGifti } from './gifti.ts';
export { inspectGifti } from './inspect.ts';
