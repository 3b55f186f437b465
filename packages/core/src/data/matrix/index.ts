export { type MatrixSink, type MatrixSource, readBlocks, type Values } from './matrix.ts';
export { checkWritten, type MemorySink, matrixInMemory, memorySink } from './memory.ts';
export { type OpenMatrixOptions, openMatrix } from './open.ts';
export { type OwnedMatrix, ownedMatrix } from './owned.ts';
export { type PackedRows, packedMatrix } from './packed.ts';
