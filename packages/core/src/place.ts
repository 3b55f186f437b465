/** Frames of this library, as sources, as installed packages, and of the runtime itself. */
const INTERNAL =
  /[\\/](packages|@fmri2image)[\\/](core|node|web)[\\/](src|dist)[\\/]|node:internal|\(native\)/;
/** V8 writes `    at f (url:1:2)`; Firefox and Safari write `f@url:1:2`. */
const FRAME = /^\s*at\s+(.+)$|^([^@]*)@(.+:\d+:\d+)$/;

/**
 * The lines of a captured stack that tell users where they called the library: the first `count` frames outside
 * it, or those below the op if all seem to be inside.
 *
 * @param place as captured by `runOp`, its first frame being the op's function
 * @returns `at f (url:1:2)`, further frames on lines of their own; undefined where the engine captured nothing
 */
export function formatPlace(place: { readonly stack?: string | undefined }, count = 3): string | undefined {
  const frames = (place.stack ?? '').split('\n').flatMap((line) => {
    const match = FRAME.exec(line);
    if (!match) return [];
    return [match[1] !== undefined ? `at ${match[1]}` : `at ${match[2] || '<anonymous>'} (${match[3]})`];
  });
  const below = frames.slice(1);
  const outside = below.filter((frame) => !INTERNAL.test(frame));
  const chosen = (outside.length > 0 ? outside : below).slice(0, count);
  return chosen.length > 0 ? chosen.join('\n    ') : undefined;
}
