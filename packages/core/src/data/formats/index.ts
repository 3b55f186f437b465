export * from './crc32.ts';
export * from './gzip.ts';
export * from './nifti.ts';
export * from './npy.ts';
export * from './npz.ts';
export * from './safetensors.ts';
export { isZip, openZip, type Zip, type ZipEntry } from './zip.ts';
