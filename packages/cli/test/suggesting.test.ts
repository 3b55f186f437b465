// One function names what was meant, whatever it is that there is not: an option, a command, a choice.
import { didYouMean } from '@fmri2image/core';
import { type CommanderError, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { SuggestingCommand } from '../src/suggesting.ts';
import { run, temporaryFolder } from './run.ts';

function failing(args: readonly string[]): string {
  const program = new SuggestingCommand('p')
    .exitOverride()
    .showSuggestionAfterError(false)
    .option('--verbose');
  program.configureOutput({ writeErr: () => undefined });
  program
    .command('evaluate')
    .option('--permutations <n>')
    .addOption(new Option('--recipe <name>').choices(['brain-diffuser', 'takagi']).default('takagi'))
    .action(() => undefined);
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    return (error as CommanderError).message;
  }
  return 'nothing wrong';
}

describe('a command with suggestions', () => {
  it.each([
    [['evaluate', '--recipe', 'takagi'], 'nothing wrong'],
    [['evalute'], "error: unknown command 'evalute': did you mean evaluate?"],
    [
      ['evaluate', '--permutation', '3'],
      "error: unknown option '--permutation': did you mean --permutations?",
    ],
    [['evaluate', '--verbos'], "error: unknown option '--verbos': did you mean --verbose?"],
    [['evaluate', '--quite-another-thing'], "error: unknown option '--quite-another-thing'"],
    [
      ['evaluate', '--permutations', '3', 'GB'],
      "error: too many arguments for 'evaluate'. Expected 0 arguments but got 1. A size is written without a blank: --permutations 3GB",
    ],
    [
      ['evaluate', 'one', 'two'],
      "error: too many arguments for 'evaluate'. Expected 0 arguments but got 2. Not expected: one two",
    ],
    [
      ['evaluate', '--recipe', 'braindiffuser'],
      "error: option '--recipe <name>' argument 'braindiffuser' is invalid. expected brain-diffuser, takagi: did you mean brain-diffuser?",
    ],
  ])('%s', (args, message) => {
    expect(failing(args)).toBe(message);
  });
});

describe('names that there are not', () => {
  it.each([
    ['mindeye2', ['mindeye2-new-test', 'takagi'], ': did you mean mindeye2-new-test?'],
    ['mindeye2', ['mindeye2-new-test', 'mindeye2-old-test'], ''],
    ['V2', ['V1', 'V3'], ''],
    ['FAA', ['FFA', 'PPA'], ': did you mean FFA?'],
  ])('%s among %s', (word, known, words) => {
    expect(didYouMean(word, known)).toBe(words);
  });

  const folder = temporaryFolder();
  const features = ['--targets', 'f=sim/features/f.npy'];
  const fit = ['fit', 'sim', '--recipe', 'custom', '--alphas', '1', ...features, '-o', 'never'];

  it('are answered with the nearest one: recipe, head, split, normalisation, ROI, array', async () => {
    const shown = ['--train-pictures', '6', '--test-pictures', '3', '--repeats', '2', '--sessions', '1'];
    const small = ['--voxels', '20', '--size', '16', '--features', 'f.npy=4'];
    const { code, stderr } = await run(
      ['simulate', '--layout', 'nsd', '-o', 'sim', ...shown, ...small],
      folder,
    );
    expect(code, stderr).toBe(0);
    const made = await run([...fit.slice(0, -1), 'p', '--keep', 'predictions', '--split', 'takagi'], folder);
    expect(made.code, made.stderr).toBe(0);
    const cases: [string[], RegExp][] = [
      [['recipes', 'takagui'], /no recipe takagui: did you mean takagi\?/],
      [
        ['fit', 'sim', '--recipe', 'takagi', '--targets', 'blipp=sim/features/f.npy', '-o', 'never'],
        /no such targets: did you mean blip\?/,
      ],
      [
        [...fit, '--split', 'braindiffuser'],
        /split.*: did you mean brain-diffuser\?|name: did you mean brain-d/,
      ],
      [[...fit, '--split', 'takagi', '--normalisation', 'takgi'], /: did you mean takagi\?/],
      [[...fit, '--split', 'takagi', '--roi', 'nsdgenral'], /no such ROI: did you mean nsdgeneral\?/],
      [
        ['evaluate', 'sim', '--reconstructions', 'p', '--targets', 'ff=sim/features/f.npy'],
        /no such head: did you mean f\?/,
      ],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await run(args, folder);
      expect(stderr).toMatch(message);
      expect(code).toBeGreaterThan(0);
    }
  });
});
