// Node gets the `navigator.gpu` of a browser, from Dawn: the same tests run in both. Where Dawn does not start, the
// tests find no adapter.
const gpu = await import('webgpu').then(
  ({ create }) => create([]),
  () => undefined,
);
const holder = globalThis as { navigator?: object };
if (!holder.navigator) holder.navigator = {};
Object.defineProperty(holder.navigator, 'gpu', { value: gpu, configurable: true });

export {};
