import { describe, expect, it } from 'vitest';
import { formatPlace } from '../src/index.ts';

const V8 = `Error
    at gemm (file:///home/me/app/node_modules/@fmri2image/core/dist/index.js:10:5)
    at fitRidge (file:///home/me/app/node_modules/@fmri2image/core/dist/chunk.js:20:5)
    at async decode (file:///home/me/app/decode.js:30:7)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at main (file:///home/me/app/main.js:3:1)
    at file:///home/me/app/main.js:9:1
    at run (file:///home/me/app/deep.js:1:1)`;

describe('formatPlace', () => {
  it('gives the first frames outside the library and the runtime', () => {
    expect(formatPlace({ stack: V8 })).toBe(
      [
        'at async decode (file:///home/me/app/decode.js:30:7)',
        'at main (file:///home/me/app/main.js:3:1)',
        'at file:///home/me/app/main.js:9:1',
      ].join('\n    '),
    );
  });

  it('reads the stacks of Firefox and Safari', () => {
    const stack =
      'gemm@http://x/@fmri2image/core/dist/index.js:1:2\ndecode@http://x/app.js:3:4\n@http://x/app.js:9:1\n';
    expect(formatPlace({ stack })).toBe(
      'at decode (http://x/app.js:3:4)\n    at <anonymous> (http://x/app.js:9:1)',
    );
  });

  it('drops the op itself where the library is not to be told apart', () => {
    const bundled = 'Error\n    at gemm (http://x/app.js:1:1)\n    at main (http://x/app.js:2:1)';
    expect(formatPlace({ stack: bundled })).toBe('at main (http://x/app.js:2:1)');
    const inside =
      'Error\n    at gemm (/r/packages/core/src/a.ts:1:1)\n    at fit (/r/packages/core/src/b.ts:2:1)';
    expect(formatPlace({ stack: inside })).toBe('at fit (/r/packages/core/src/b.ts:2:1)');
  });

  it('is undefined where nothing was captured', () => {
    expect(formatPlace({})).toBeUndefined();
    expect(formatPlace({ stack: 'Error' })).toBeUndefined();
  });
});
