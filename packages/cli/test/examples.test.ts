import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const data = process.env.F2I_TEST_DATA ?? join(root, '..', 'shared', 'data');
const isThere = existsSync(join(data, 'v1-bars'));
if (!isThere && process.env.F2I_REQUIRE?.split(',').includes('data')) {
  throw new Error(`F2I_REQUIRE lists data, but ${data} does not exist`);
}

describe('the demo', () => {
  it('needs no data, scores far above chance, and stays below its oracle', async () => {
    const outcome = await run(['demo', '-o', join(folder, 'demo'), '--json']);
    expect(outcome).toMatchObject({ code: 0 });
    const { ridge, oracle, chance, noiseCeiling } = JSON.parse(outcome.stdout) as Record<
      string,
      Record<string, number>
    >;
    expect(ridge!.twoWay).toBeGreaterThan(0.9);
    expect(ridge!.permutationP).toBeLessThanOrEqual(0.001);
    expect(oracle!.frameCorrelation).toBeGreaterThan(ridge!.frameCorrelation!);
    expect(chance!.twoWay).toBe(0.5);
    expect(noiseCeiling!.averaged).toBeGreaterThan(noiseCeiling!.singleTrial!);
    expect(readdirSync(join(folder, 'demo'))).toEqual(
      expect.arrayContaining(['pictures.png', 'bundle', 'study']),
    );
    // A second run may replace it, but nothing of somebody else's.
    expect((await run(['demo', '-o', folder])).code).toBe(2);
  });
});

describe('the example of moving bars', () => {
  it.each([
    ['--help', 0, /Usage[\s\S]*--decoder <kind>/],
    ['--decodr', 2, /Unknown option '--decodr'[\s\S]*Usage/],
    ['--decoder=x', 2, /ridge, retinotopic or both; found x/],
  ])('answers %s', (option, code, answer) => {
    const script = join(root, 'examples', 'v1-bars', 'run.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, option], { encoding: 'utf8' });
    expect(status).toBe(code);
    expect(code === 0 ? stdout : stderr).toMatch(answer);
    expect(stderr).not.toMatch(/ at .*\.[mj]s:\d+/);
  });
});

describe.skipIf(!isThere)('v1-bars (skipped where ../shared/data is absent)', () => {
  it('reads moving bars out of a real visual cortex', () => {
    const script = join(root, 'examples', 'v1-bars', 'run.mjs');
    const output = join(folder, 'v1-bars');
    const { status, stdout } = spawnSync(process.execPath, [script, '--json', '--output', output], {
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    const { results } = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
      results: Record<string, number>[];
    };
    expect(results.map(({ decoder }) => decoder)).toEqual(['ridge', 'retinotopic']);
    const [ridge, retinotopic] = results as [Record<string, number>, Record<string, number>];
    expect(ridge.twoWay).toBeGreaterThan(0.9);
    expect(ridge.frameCorrelation).toBeGreaterThan(0.45);
    expect(retinotopic.twoWay).toBeGreaterThan(0.965);
    expect(retinotopic.frameCorrelation).toBeGreaterThan(0.65);
    for (const result of results) {
      expect(result.frames).toBe(100);
      // Not the smallest possible: shifts by a frame or two still fit, and the cross-fitted null is widened.
      expect(result.permutationP).toBeLessThanOrEqual(0.02);
    }
    expect(readdirSync(join(output, 'ridge', 'pictures'))).toHaveLength(150);
    expect(readdirSync(join(output, 'retinotopic', 'pictures'))).toHaveLength(150);
  });
});
