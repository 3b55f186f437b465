import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { conformanceScript } from '../src/replay/conformance.ts';

const kept = fileURLToPath(new URL('../../native/tests/replay/cases', import.meta.url));

it('the smallest cases that native tests keep are those of the conformance', async () => {
  const text = readFileSync(`${kept}.script`, 'utf8');
  const names = new Set(text.split('\n').flatMap((line) => /^case (.*)/.exec(line)?.[1] ?? []));
  expect(names.size).toBeGreaterThan(300);
  const { script } = await conformanceScript((id) => names.has(id), 2000);
  const hint = 'npm run replay -- native/tests/replay --most 2000, and rename conformance.* to cases.*';
  expect(script.text() === text, hint).toBe(true);
  expect(Buffer.concat(script.chunks).equals(readFileSync(`${kept}.data`)), hint).toBe(true);
});
