import { expect, it } from 'vitest';
import readme from '../README.md?raw';
import * as web from '../src/index.ts';
import { describeOnDevice } from './available.ts';

const AsyncFunction = (async () => {}).constructor as new (
  ...text: string[]
) => (library: typeof web, log: { log(value: unknown): void }) => Promise<void>;

describeOnDevice('the example of the README', () => {
  it('runs and prints what it says', async () => {
    const example = /```js\n(.*?)```/s.exec(readme)![1]!;
    const body = example.replace(/^import (\{.*\}) from '@fmri2image\/web';/m, 'const $1 = library;');
    expect(body).toContain('= library;');
    const printed: unknown[] = [];
    await new AsyncFunction('library', 'console', body)(web, { log: (value) => printed.push(value) });
    expect(printed).toEqual([expect.stringMatching(/^WebGPU, /), Float32Array.of(14, 32, 32, 77)]);
  });
});
