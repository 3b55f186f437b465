/**
 * WebGPU's flag values, by the specification. The globals of the same names exist only in browsers; in Node an
 * implementation is handed over as an object.
 */
export const BufferUsage = {
  MAP_READ: 0x0001,
  COPY_SRC: 0x0004,
  COPY_DST: 0x0008,
  UNIFORM: 0x0040,
  STORAGE: 0x0080,
} as const;

export const MAP_READ = 0x0001;
export const COMPUTE_STAGE = 0x4;
