import { create } from 'webgpu';

// Node gets the `navigator.gpu` of a browser, from Dawn: the same tests run in both.
const holder = globalThis as { navigator?: object };
if (!holder.navigator) holder.navigator = {};
Object.defineProperty(holder.navigator, 'gpu', { value: create([]), configurable: true });
