export * from './backend.ts';
export * from './dtype.ts';
export * from './error.ts';
export * from './ops/index.ts';
export * from './tensor.ts';
