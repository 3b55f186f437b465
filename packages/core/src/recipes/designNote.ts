import type { Json } from '../data/json.ts';
import type { StreamedNumerics } from '../decoders/ridge/streamed/types.ts';
import type { BandWeights } from './bands/weighBands.ts';
import type { HeadStore } from './store.ts';

/** What a store keeps of a design: its bands as soon as they are weighed, the rest once its heads are done. */
export interface DesignNote {
  readonly bands?: BandWeights | undefined;
  readonly numerics?: StreamedNumerics | undefined;
  readonly warnings?: readonly string[] | undefined;
}

/** What this run or an earlier one noted of a design, by its number in the run. */
export function readNote(store: HeadStore, design: number): DesignNote {
  return (store.note(design) ?? {}) as unknown as DesignNote;
}

/** Adds to the note of a design. */
export async function addToNote(store: HeadStore, design: number, more: DesignNote): Promise<void> {
  await store.keepNote(design, { ...readNote(store, design), ...more } as unknown as Json);
}
