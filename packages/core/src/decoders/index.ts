export * from './ridge/index.ts';
