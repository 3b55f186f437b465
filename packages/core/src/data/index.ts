export * from './formats/index.ts';
export * from './json.ts';
export * from './ndarray.ts';
export * from './pause.ts';
export * from './source.ts';
