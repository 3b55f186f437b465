import { defineSchema, linear } from '../schema.ts';

/** MindEye2's CLIPConverter: tokens of OpenCLIP bigG to those of CLIP L, first over tokens, then over channels. */
export const clipConverter = defineSchema('clip-converter', [
  ...linear('linear1', ['tokensOut', 'tokens'], 'over tokens'),
  ...linear('linear2', ['clipOut', 'clip'], 'over channels'),
]);
