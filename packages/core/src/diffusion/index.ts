export type { Recorded, RecordedNoise } from './noise.ts';
