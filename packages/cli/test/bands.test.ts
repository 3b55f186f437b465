import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeLabelledStudy } from './labelledStudy.ts';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

describe('bands of voxels', () => {
  const bands = ['V1', 'V1', 'V1', 'V1', 'V1', 'FFA', 'FFA', 'FFA', 'FFA', 'n/a', 'PPA', 'PPA'];
  beforeAll(() => {
    writeLabelledStudy(at('study'));
    writeFileSync(at('bands.txt'), `${bands.join('\n')}\n`);
    writeFileSync(at('short.txt'), 'V1\nV1\n');
    writeFileSync(at('none.txt'), `${bands.map(() => 'n/a').join('\n')}\n`);
  });
  const options = ['--targets', 'labels', '--alphas', '1,10,100', '--band-draws', '5'];

  it('are fitted, told apart in the bundle, and reported with what each adds', async () => {
    const fit = ['fit', at('study'), ...options, '--bands', at('bands.txt'), '-o', at('bundle')];
    const fitted = await run(fit);
    expect(fitted.code, fitted.stderr).toBe(0);
    const { kind, report, input } = JSON.parse(readFileSync(at('bundle', 'model.json'), 'utf8'));
    expect(kind).toBe('ridge');
    expect(input.voxels).toBe(36);
    expect(report.candidates).toBe(5);
    // Each voxel is read at 3 delays, side by side.
    expect(report.bands).toMatchObject([
      {
        name: 'V1',
        voxels: [
          [0, 4],
          [12, 16],
          [24, 28],
        ],
      },
      {
        name: 'FFA',
        voxels: [
          [5, 8],
          [17, 20],
          [29, 32],
        ],
      },
      {
        name: 'PPA',
        voxels: [
          [10, 11],
          [22, 23],
          [34, 35],
        ],
      },
    ]);
    const made = ['report', at('study'), ...options, '--bands', at('bands.txt'), '--leave-one-out', 'run'];
    const outcome = await run([...made, '--permutations', '9', '-o', at('report')]);
    expect(outcome.code, outcome.stderr).toBe(0);
    const page = readFileSync(at('report', 'report.html'), 'utf8');
    expect(page).toMatch(/What each band adds[\s\S]*PPA[\s\S]*together/);
    const { folds, accuracy } = JSON.parse(readFileSync(at('report', 'report.json'), 'utf8'));
    expect(accuracy.score).toBeGreaterThan(0.6);
    for (const fold of folds) {
      const total = fold.report.bands.reduce(
        (sum: number, { correlation }: { correlation: number }) => sum + correlation,
        0,
      );
      expect(total).toBeGreaterThan(0.3);
      expect(total).toBeLessThanOrEqual(1);
    }
  });

  it('are refused where they do not fit the voxels', async () => {
    const fit = (...more: string[]) => run(['fit', at('study'), ...options, ...more, '-o', at('none')]);
    expect(await fit('--bands', at('short.txt'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/short\.txt: one line for each voxel.*expected 12 lines.*found 2/s),
    });
    expect(await fit('--bands', at('none.txt'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no voxel of the study is in a band/),
    });
    expect(await fit('--bands', at('atlas.nii'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/a text with a line for each voxel.*come from a matrix/s),
    });
  });
});
