export * from '../../special.ts';
