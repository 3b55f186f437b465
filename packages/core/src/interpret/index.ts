export type { NestedFold, PenaltyOptions } from './heldOut.ts';
