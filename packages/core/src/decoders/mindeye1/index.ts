export { MINDEYE1_STAGES, type MindEye1Stage, openMindEye1, openMindEye1LowLevel } from './decoder.ts';
export { priorTokens } from './network.ts';
