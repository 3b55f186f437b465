import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

it.each([['--help'], ['ridge', '-h']])(
  'npm run bench -- %s %s prints its help without a build',
  (...args) => {
    // No program can be found: an install or a build would fail.
    const { status, stdout } = spawnSync(process.execPath, ['scripts/run.mjs', 'bench', ...args], {
      cwd: root,
      env: { PATH: '' },
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(stdout).toBe(`${readFileSync(new URL('../usage.txt', import.meta.url), 'utf8').trimEnd()}\n`);
  },
);
