import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Evaluation, Study } from '@fmri2image/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { FoldWarnings } from '../src/pipeline/foldWarnings.ts';
import { sharingNotes } from '../src/pipeline/notes.ts';
import type { Results } from '../src/pipeline/results.ts';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

interface Result {
  notes: string[];
  evaluation: { trials: number; stimuli: number; twoWay: { score: number; meanPicture: number } };
}
const json = (text: string) => JSON.parse(text) as Result;

const SMALL = '--voxels 80 --train-pictures 150 --test-pictures 10 --repeats 2 --size 8'.split(' ');

/** Reconstructs and scores; the folder of the reconstructions is `at(name)`. */
async function score(study: string, name: string, ...flags: string[]) {
  expect(await run(['reconstruct', at('bundle'), at(study), '-o', at(name), ...flags])).toMatchObject({
    code: 0,
  });
  const outcome = await run(['evaluate', at(study), '--reconstructions', at(name), '--json']);
  expect(outcome).toMatchObject({ code: 0 });
  return { ...json(outcome.stdout), stderr: outcome.stderr };
}

beforeAll(async () => {
  expect(await run(['simulate', '-o', at('study'), '--seed', '3', ...SMALL])).toMatchObject({ code: 0 });
  const fit = ['fit', at('study'), '-o', at('bundle'), '--alpha-for', 'all'];
  expect(await run(fit)).toMatchObject({ code: 0 });
});

describe('notes of evaluate', () => {
  it('are silent where test pictures are new, and repeats do not compete', async () => {
    const { notes, evaluation } = await score('study', 'new');
    expect(notes.filter((note) => note.includes('scored trials'))).toEqual([]);
    expect(evaluation).toMatchObject({ trials: 20, stimuli: 10 });
    // One picture for all trials: every pair of pictures is won once.
    expect(evaluation.twoWay.meanPicture).toBeCloseTo(0.5, 12);
  });

  it('count scored trials that the decoder may have been fitted on', async () => {
    const { notes, stderr } = await score('study', 'all', '--all');
    const text =
      '150 of 170 scored trials are training trials themselves: their scores say nothing about new pictures';
    expect(notes).toContain(text);
    expect(stderr).toContain(`note: ${text}`);
  });

  it('count scored trials whose pictures training trials show, too', async () => {
    const file = at('shared/trials.tsv');
    await run(['simulate', '-o', at('shared'), '--seed', '3', ...SMALL]);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const columns = lines[0]!.split('\t');
    const rows = lines.slice(1).map((line) => line.split('\t'));
    const [stimulus, split] = [columns.indexOf('stimulus'), columns.indexOf('split')];
    const trained = rows.find((row) => row[split] === 'train')![stimulus]!;
    const tested = rows.find((row) => row[split] === 'test')![stimulus]!;
    for (const row of rows) if (row[stimulus] === tested) row[stimulus] = trained;
    writeFileSync(file, `${[columns, ...rows].map((row) => row.join('\t')).join('\n')}\n`);
    const { notes } = await score('shared', 'old');
    expect(notes).toContain(
      '2 of 20 scored trials show pictures that training trials show, too: their scores say nothing about new pictures',
    );
  });

  it('say once for all folds what was left out, and what to do about alphas at the border', async () => {
    const args = ['evaluate', at('study'), '--leave-one-out', 'run', '--alphas', '1,3000', '--json'];
    const { notes } = json((await run(args)).stdout);
    expect(notes).toContainEqual(
      expect.stringMatching(
        /^10 training trials that show held-out pictures were left out \(2 of \d folds\)$/,
      ),
    );
    const largest = notes.filter((note) => note.includes('the largest alpha'));
    expect(largest).toHaveLength(1);
    expect(largest[0]).toMatch(/--alphas.*--alpha-for all.*folds\)$/);
    expect(notes.filter((note) => note.includes('scored trials'))).toEqual([]);
  });
});

describe('reconstructions and a study that contradict each other', () => {
  it('are refused: a table of trials that was sorted anew', async () => {
    await run(['simulate', '-o', at('moved'), '--seed', '3', ...SMALL]);
    await run(['reconstruct', at('bundle'), at('moved'), '-o', at('kept')]);
    const file = at('moved/trials.tsv');
    const [header, ...rows] = readFileSync(file, 'utf8').trim().split('\n');
    const stimulus = header!.split('\t').indexOf('stimulus');
    const cells = rows.map((row) => row.split('\t'));
    const last = cells.filter((row) => row.includes('test')).map((row) => row[stimulus]!);
    const names = [...new Set(last)];
    const next = new Map(names.map((name, i) => [name, names[(i + 1) % names.length]!]));
    for (const row of cells) row[stimulus] = next.get(row[stimulus]!) ?? row[stimulus]!;
    writeFileSync(file, `${[header, ...cells.map((row) => row.join('\t'))].join('\n')}\n`);
    const outcome = await run(['evaluate', at('moved'), '--reconstructions', at('kept')]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /reconstructions\.json: items\.0\.stimulus(Name)?: the reconstructions belong to another study, or its trials have changed since; expected .* in trial \d+ \(.*\), found/,
    );
  });
});

describe('sharingNotes', () => {
  it('goes by the splits of the study where nobody noted what a decoder had seen', () => {
    const splits = ['train', 'train', 'test', 'test', undefined];
    const study = {
      trials: splits.map((split, i) => ({ split, stimulus: i === 3 ? 0 : i, run: '1' })),
    } as unknown as Study;
    const notes = (seen: string) => {
      const items = study.trials.map(({ stimulus }, i) => ({ trials: [i], stimulus, seen }));
      return sharingNotes(
        study,
        { items, kind: 'picture' } as unknown as Results,
        { scored: [1, 2, 3, 4] } as unknown as Evaluation,
      );
    };
    expect(notes('unknown')).toEqual([
      expect.stringMatching(/^1 of 4 scored trials are training trials/),
      expect.stringMatching(/^1 of 4 scored trials show pictures/),
    ]);
    expect(notes('no')).toEqual([]);
    expect(notes('stimulus')).toEqual([expect.stringMatching(/^4 of 4 .*: the scores say nothing/)]);
  });
});

describe('what belongs to --leave-one-out', () => {
  it.each([
    ['-o', ['-o', 'foo'], /--output belongs to --leave-one-out/],
    ['fit options', ['--delays', '3', '--detrend', '90'], /--delays, --detrend belong to --leave-one-out/],
    ['a negated one', ['--no-standardize'], /--no-standardize belongs/],
    ['one at its default', ['--storage', 'auto'], /--storage belongs/],
  ])('is refused with --reconstructions: %s', async (_, flags, message) => {
    const outcome = await run(['evaluate', 'x', '--reconstructions', 'y', ...flags], folder);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toMatch(message);
  });
});

describe('FoldWarnings', () => {
  it('merges sentences that differ in numbers alone', () => {
    const warnings = new FoldWarnings();
    warnings.add('run 1', '5 of 300 targets at 2.5e+6');
    warnings.add('run 2', '12 of 300 targets at 2.5e+6');
    warnings.add('run 2', 'only here');
    expect(warnings.summary(4)).toEqual([
      '5 to 12 of 300 targets at 2.5e+6 (2 of 4 folds)',
      'run 2: only here',
    ]);
  });
});
