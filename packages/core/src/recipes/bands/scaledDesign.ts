import type { Band } from '../../decoders/ridge/bands.ts';
import type { Design } from '../../decoders/ridge/streamed/types.ts';

/** Root of the weight of each voxel's band, [voxels]: ridge on voxels times these has a penalty a band. */
export function bandScale(voxels: number, bands: readonly Band[], gammas: ArrayLike<number>): Float32Array {
  const scale = new Float32Array(voxels);
  for (const [b, { columns }] of bands.entries()) {
    for (const column of Array.from(columns)) scale[column] = Math.sqrt(gammas[b]!);
  }
  return scale;
}

/** The same design with each voxel, normalised, multiplied by a number. */
export function scaledDesign(design: Design, scale: Float32Array): Design {
  const { train, test, voxels, ledger } = design;
  return {
    train,
    test,
    voxels,
    ledger,
    async read(from, to, signal, into) {
      const block = await design.read(from, to, signal, into);
      const own = scale.subarray(from, to);
      for (const values of [block.train, block.test]) {
        for (let i = 0; i < values.length; i++) values[i]! *= own[i % own.length]!;
      }
      return block;
    },
  };
}
