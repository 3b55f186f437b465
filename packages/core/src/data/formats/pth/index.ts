export { isPickle, isPth, isPthStart, openPth, type Pth, type PthEntry } from './open.ts';
