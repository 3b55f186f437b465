import {
  bytesSource,
  type Json,
  joinBytes,
  niftiOfVoxels,
  type Recording,
  type RecordingFacts,
  type Source,
  schemaError,
} from '@fmri2image/core';
import { z } from 'zod';

/** What was chosen of a recording: the same is read again when its bundle, or its predictions, are used. */
export interface RecordingChoices {
  readonly subject?: string | number | undefined;
  readonly roi?: string | undefined;
  /** Folder of the GLM's betas, of NSD. */
  readonly betas?: string | undefined;
  /** An image whose voxels above 0 are read. */
  readonly mask?: Source | undefined;
  /** Voxels that were left out as they are not finite: their indices in the selection's space. */
  readonly dropped?: readonly number[] | undefined;
}

/** A mask as a report keeps it: ranges of voxels of a grid, x fastest. It needs no file, which may be gone. */
const maskSchema = z.looseObject({
  grid: z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]),
  affine: z.array(z.array(z.number()).length(4)).length(3),
  voxels: z.array(z.tuple([z.int().nonnegative(), z.int().nonnegative()])).nonempty(),
});

const schema = z.looseObject({
  name: z.string(),
  subject: z.union([z.string(), z.number()]).optional(),
  roi: z.string().optional(),
  betas: z.string().optional(),
  mask: maskSchema.optional(),
  dropped: z.array(z.int().nonnegative()).optional(),
});

/**
 * What a report keeps of the options, beside the recording's name.
 *
 * @param kept the voxels that were packed
 */
export function chosenOf(
  { selection }: Recording,
  kept: RecordingFacts['selection'],
  { betas, mask }: { betas?: string | undefined; mask?: string | undefined },
): Record<string, Json> {
  const chosen: Record<string, Json> = betas === undefined ? {} : { betas };
  const packed = new Set(kept.indices);
  const dropped = Array.from(selection.indices).filter((index) => !packed.has(index));
  if (dropped.length > 0) chosen.dropped = dropped;
  if (mask !== undefined && selection.space?.kind === 'image') {
    const { grid, affine } = selection.space;
    chosen.mask = {
      grid: [...grid],
      affine: affine.slice(0, 3).map((row) => [...row]),
      voxels: ranges(selection.indices),
    };
  }
  return chosen;
}

/**
 * Reads what a bundle, or a folder of predictions, keeps of the recording that it was made of.
 *
 * @param report `report` of it
 * @param file for errors
 */
export async function readChoices(report: unknown, file: string): Promise<RecordingChoices> {
  const recording = (report as { recording?: unknown } | undefined)?.recording;
  if (recording === undefined) return {};
  const parsed = schema.safeParse(recording);
  if (!parsed.success) throw schemaError(recording as Json, parsed.error.issues, schema, file);
  const { subject, roi, betas, mask, dropped } = parsed.data;
  return {
    subject,
    roi: roi === 'all' ? undefined : roi,
    betas,
    mask: mask && (await imageOf(mask)),
    dropped,
  };
}

async function imageOf({ grid, affine, voxels }: z.infer<typeof maskSchema>): Promise<Source> {
  const indices = Int32Array.from(
    voxels.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)),
  );
  const pieces: Uint8Array[] = [];
  const space = { kind: 'image', grid, affine } as const;
  const ones = new Float32Array(indices.length).fill(1);
  for await (const piece of niftiOfVoxels([ones], 1, { indices, space }, { gzip: false })) pieces.push(piece);
  return bytesSource(joinBytes(pieces), 'the mask of the bundle');
}

/** [first, last] of neighbours. */
function ranges(indices: Int32Array): [number, number][] {
  const found: [number, number][] = [];
  for (const index of indices) {
    const last = found.at(-1);
    if (last && index === last[1] + 1) last[1] = index;
    else found.push([index, index]);
  }
  return found;
}
