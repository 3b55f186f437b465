export type { Matlab, MatlabArray, MatlabReadOptions, SparseMatrix } from './matlab.ts';
export { encodeMatlab5 } from './matlab5Write.ts';
export { isMatlab, openMatlab } from './open.ts';
