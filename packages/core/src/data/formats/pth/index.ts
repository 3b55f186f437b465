export { isLegacyPth, openPth, type Pth, type PthEntry } from './open.ts';
