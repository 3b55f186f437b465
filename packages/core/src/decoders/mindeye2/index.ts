export { MindEye2Decoder } from './decoder.ts';
export { MINDEYE2_STAGES, type MindEye2Stage } from './stages.ts';
