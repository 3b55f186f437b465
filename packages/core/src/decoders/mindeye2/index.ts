export { openMindEye2 } from './decoder.ts';
export { estimateMindEye2, type StageEstimate } from './estimates.ts';
export { MINDEYE2_STAGES, type MindEye2Stage } from './stages.ts';
