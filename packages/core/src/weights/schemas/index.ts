export * from './clipConverter.ts';
export * from './mindeye1.ts';
export { mindeye2, mindeye2Backbone, mindeye2Blurry, mindeyePrior } from './mindeye2.ts';
