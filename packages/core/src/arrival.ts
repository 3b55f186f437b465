import type { Tensor } from './tensor.ts';

/** Waits until a tensor has its values, for one of them; rejects with what kept it from them. */
export async function arrival(x: Tensor): Promise<void> {
  await x.backend.compute(() => [x.reshape(x.size).rows(0, 1)]);
}
