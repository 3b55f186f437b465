import { bytesInWords, F2iError, type Json } from '@fmri2image/core';
import type { RunIdentity } from './workFolder.ts';

/** Where an unfinished run is not the one that is asked for. */
export interface Difference {
  readonly field: string;
  readonly expected: string;
  readonly found: string;
}

/** The first difference between an unfinished run and another; undefined where there is none. */
export function differenceOf(
  left: { readonly identity: RunIdentity; readonly count: number },
  { identity, count }: { readonly identity: RunIdentity; readonly count: number },
): Difference | undefined {
  for (const field of new Set([...Object.keys(left.identity), ...Object.keys(identity)])) {
    const [expected, found] = [shown(left.identity[field]), shown(identity[field])];
    if (expected !== found) return { field, expected, found };
  }
  if (left.count === count) return undefined;
  return { field: 'count', expected: `${left.count}`, found: `${count}` };
}

/**
 * The error that refuses to go on with an unfinished run: with another setting the earlier command still goes on; where a
 * file has changed, none does.
 *
 * @param state the file that tells of the unfinished run
 */
export function otherRun(state: string, { field, expected, found }: Difference): F2iError {
  const [before, now] = [FILE.exec(expected)?.groups, FILE.exec(found)?.groups];
  if (before && now && before.name === now.name) {
    const place = { file: now.name, expected: fileInWords(before), found: fileInWords(now) };
    return new F2iError(
      'USAGE',
      `the file has changed since the unfinished run began (${state}); ${ANEW}`,
      place,
    );
  }
  const message =
    field === 'count'
      ? `an unfinished run has another number of results; ${ANEW}`
      : field === 'responses'
        ? `the responses have changed since the unfinished run began; ${ANEW}`
        : `an unfinished run was started with another setting; repeat its command to go on, or --restart to begin anew`;
  return new F2iError('USAGE', message, { file: state, field, expected, found });
}

const ANEW = '--restart begins anew';

/** A file as runs know it: see `fileIdentity`. */
const FILE = /^(?<name>.+), (?<bytes>\d+) bytes of (?<time>\S+)$/;

/** Bytes one by one beside the words: two sizes may differ by one. */
const fileInWords = ({ bytes, time }: Record<string, string>) =>
  `${bytes} bytes (${bytesInWords(Number(bytes))}) written ${time}`;

/** A setting in an error: `tokens`, 3. */
const shown = (value: Json | undefined) =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'none');
