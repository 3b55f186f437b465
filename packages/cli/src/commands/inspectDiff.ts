import {
  type BundleDifference,
  type Change,
  diffWeights,
  F2iError,
  openBundleWeights,
} from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import type { Console } from '../console.ts';
import { EXIT, ExitError } from '../exit.ts';
import { readable } from './inspectStudy.ts';

/** As of `diff`: 0 identical, 1 different, 2 trouble. */
const DIFF_EXIT = { different: 1, trouble: 2 } as const;

const VERDICTS: Readonly<Record<BundleDifference['verdict'], string>> = {
  identical: 'identical',
  'same numbers': 'same numbers, different metadata',
  different: 'different',
};

/** Compares two bundles and sets the exit code of the process. */
export async function inspectDiff(
  before: string,
  after: string,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  let difference: BundleDifference;
  try {
    const read = async (path: string) =>
      openBundleWeights(await nodeFolder(path, { onRepair: console.warn }), { signal });
    difference = await diffWeights(await read(before), await read(after), {
      signal,
      onProgress: (done, total) => console.progress('compare', done / total),
    });
  } catch (error) {
    const trouble = error instanceof F2iError && !['CANCELLED', 'INTERNAL'].includes(error.code);
    throw trouble && !signal.aborted ? new ExitError(DIFF_EXIT.trouble, error) : error;
  }
  console.result({ before, after, ...difference });
  describe(before, after, difference, console);
  process.exitCode = difference.verdict === 'identical' ? EXIT.ok : DIFF_EXIT.different;
}

function describe(before: string, after: string, difference: BundleDifference, { print }: Console): void {
  const { verdict, fields, tensors } = difference;
  print(`${before} and ${after}: ${VERDICTS[verdict]}`);
  for (const change of fields)
    print(`  ${change.field}: ${shown(change, 'before')} -> ${shown(change, 'after')}`);
  for (const { name, before = 'none', after = 'none', values } of tensors) {
    print(`  tensor ${name}: ${before === after ? before : `${before} -> ${after}`}`);
    if (!values) continue;
    const { differing, of, maxAbsolute, maxRelative, notFinite } = values;
    const share = `${differing} of ${of} values differ`;
    const odd = notFinite > 0 ? `, ${notFinite} of them NaN or infinite in one` : '';
    print(`    ${share}, by at most ${readable(maxAbsolute)} (relative ${readable(maxRelative, 2)})${odd}`);
  }
}

function shown(change: Change, side: 'before' | 'after'): string {
  const value = change[side];
  if (value === undefined) return 'none';
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}
