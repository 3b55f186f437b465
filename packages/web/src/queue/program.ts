/**
 * One compute shader with its interface. By convention of all our shaders:
 * - `@group(0) @binding(0)` is a uniform struct of up to 64 words (u32, i32 or f32), its fields in the order of the
 *   params given to `dispatch`;
 * - `@group(0) @binding(1)`, for programs with `status`, is the failure slot of the op (see status.wgsl);
 * - `@group(1)` holds the storage buffers, in the order of `access`.
 */
export interface Program {
  readonly name: string;
  readonly code: string;
  /** Entry point; `main` when absent. */
  readonly entry?: string;
  readonly access: readonly ('read' | 'read_write')[];
  /** Values of the shader's overrides. */
  readonly constants?: Readonly<Record<string, number>>;
  readonly status?: boolean;
}

/** Words of a params struct, and so of a slot in the uniform buffer. */
export const PARAM_WORDS = 64;

const scratch = new DataView(new ArrayBuffer(4));

/** The bit pattern of a number as f32, for params. */
export function f32Bits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

/** The number whose pattern as f32 these bits are. */
export function f32FromBits(bits: number): number {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}
