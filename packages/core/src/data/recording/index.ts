export { type ArrangeOptions, type AverageChoice, arrange, arrangeTrials, SPLIT_NAMES } from './arrange.ts';
export { designOf, type RecordingDesign } from './designOf.ts';
export { recordingOf } from './fromStudy.ts';
export { NORMALISATIONS, type Normalisation, type NormalisationName } from './normalisation.ts';
export { type PackOptions, packRecording } from './pack.ts';
export type { PackedRecording, PackStore } from './packed.ts';
export * from './recording.ts';
export { regionColumns } from './regions.ts';
