export type { Matlab, MatlabArray, MatlabReadOptions, SparseMatrix } from './matlab.ts';
export { isMatlab, openMatlab } from './open.ts';
