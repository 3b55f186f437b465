import type { Backend } from './backend.ts';
import { gramSpec } from './ops/gram.ts';
import type { OpSpec } from './ops/op.ts';

/** Can the device compute in float64? (WebGPU cannot.) */
export function hasFloat64(backend: Backend): boolean {
  const spec = { shape: [1, 1], dtype: 'f64' } as const;
  return backend.supports(gramSpec as unknown as OpSpec, [spec], { columns: false, alpha: 1 }) === true;
}
