import { F2iError } from '../../error.ts';
import { openMatlab } from '../formats/matlab/index.ts';
import { toFloat64 } from '../ndarray.ts';
import type { Source } from '../source.ts';
import { NSD_PICTURES, SHARED_PICTURES } from './published.ts';

/** The order in which pictures were shown, the same for all subjects; which pictures these were is each subject's own. */
export interface NsdExperiment {
  /** Of each trial, the picture among the subject's own (10,000), from 0. */
  readonly order: Int32Array;
  /** Of each of the subject's pictures, its number among the 73,000, from 0. The first are shared. */
  readonly pictures: Int32Array;
  /** Numbers among the 73,000, from 0, of the pictures that all subjects saw. */
  readonly shared: ReadonlySet<number>;
}

/**
 * Reads `nsd_expdesign.mat`: `masterordering` [1, trials] (a picture of the 10,000, from 1), `subjectim` [subjects, 10000]
 * and `sharedix` [1, 1000] (numbers among the 73,000, from 1).
 *
 * @throws FORMAT, naming the variable, where it is not as published
 */
export async function readExperiment(
  source: Source,
  subject: number,
  signal?: AbortSignal,
): Promise<NsdExperiment> {
  const file = await openMatlab(source, signal);
  try {
    const read = async (name: string): Promise<{ data: Float64Array; rows: number; columns: number }> => {
      const found = file.arrays.get(name);
      if (found?.shape.length !== 2 || found.dtype === undefined) {
        throw new F2iError('FORMAT', 'not the experimental design of NSD', {
          file: source.name,
          field: name,
          expected: 'a matrix of numbers',
          found: found
            ? `${found.className} [${found.shape.join(', ')}]`
            : [...file.arrays.keys()].join(', ') || 'nothing',
        });
      }
      const [rows, columns] = found.shape as [number, number];
      return { data: toFloat64(await file.read(name, { signal })), rows, columns };
    };
    const subjects = await read('subjectim');
    if (subject > subjects.rows) {
      throw new F2iError('FORMAT', `no pictures of subject ${subject}`, {
        file: source.name,
        field: 'subjectim',
        expected: `${subject} rows or more`,
        found: `${subjects.rows}`,
      });
    }
    const { columns } = subjects;
    const own = subjects.data.subarray((subject - 1) * columns, subject * columns);
    const from0 = (name: string, values: Float64Array, most: number) =>
      wholeFrom1(values, most, source.name, name);
    return {
      order: from0('masterordering', (await read('masterordering')).data, columns),
      pictures: from0('subjectim', own, NSD_PICTURES),
      shared: new Set(from0('sharedix', (await read('sharedix')).data, NSD_PICTURES)),
    };
  } finally {
    file.close();
  }
}

function wholeFrom1(values: Float64Array, most: number, file: string, field: string): Int32Array {
  const wrong = values.findIndex((value) => !(Number.isInteger(value) && value >= 1 && value <= most));
  if (wrong < 0) return Int32Array.from(values, (value) => value - 1);
  throw new F2iError('FORMAT', 'a number that cannot be', {
    file,
    field,
    expected: `whole numbers from 1 to ${most}`,
    found: `${values[wrong]} at element ${wrong + 1}`,
  });
}

/** Whether a picture is shared, by its place among the subject's own, where only that is known. */
export const isSharedPlace = (place: number) => place < SHARED_PICTURES;
