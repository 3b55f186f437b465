import type { LoadOptions } from './loaded.ts';
import type { MemoryThere } from './memory.ts';

/** What decoders out of converted checkpoints may be told. */
export interface ConvertedOptions
  extends Pick<LoadOptions, 'signal' | 'onProgress' | 'stage' | 'precision' | 'subject'> {
  /** What there is for the model: more is refused before it is loaded. */
  memory?: MemoryThere | undefined;
}
