/**
 * A signal that follows several others until it is released: unlike `AbortSignal.any` it exists everywhere, and leaves
 * no listener on a signal that outlives the call.
 */
export function linkedSignal(...signals: readonly (AbortSignal | undefined)[]): {
  signal: AbortSignal;
  release(): void;
} {
  const controller = new AbortController();
  const followed = signals.filter((signal) => signal !== undefined);
  const follow = () => controller.abort(followed.find(({ aborted }) => aborted)?.reason);
  for (const signal of followed) signal.addEventListener('abort', follow, { once: true });
  if (followed.some(({ aborted }) => aborted)) follow();
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of followed) signal.removeEventListener('abort', follow);
    },
  };
}
