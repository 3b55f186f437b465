export { openMindEye2 } from './decoder.ts';
export { MINDEYE2_STAGES, type MindEye2Stage } from './stages.ts';
