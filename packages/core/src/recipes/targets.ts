import type { MatrixSource } from '../data/matrix/matrix.ts';
import type { ArrangedRow, RecordingFacts } from '../data/recording/recording.ts';
import { stimuliInOrder } from '../data/recording/stimulusOrder.ts';
import { F2iError } from '../error.ts';
import type { RecipeHead } from './recipe.ts';

/** Pictures of all of NSD: files of features that have a row for each. */
const NSD_PICTURES = 73_000;

/** Pictures of a split, each once, ascending. */
export interface SplitPictures {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/** Pictures of arranged rows, each once, ascending. */
export function picturesOf(rows: readonly ArrangedRow[]): Int32Array {
  return Int32Array.from(new Set(rows.map(({ stimulus }) => stimulus))).sort();
}

/**
 * Rows of a file of features for some rows of a design. A file may have a row for each picture of the set (73,000 of NSD,
 * the stimuli of a study), found by the picture's number; or for each picture of the split, of its training or of its test
 * pictures alone, in ascending order of their numbers.
 *
 * @param pictures of each row of the design
 * @param of which side of the split they are
 * @throws FORMAT naming file, expected and found
 */
export function targetRows(
  { name, rows }: Pick<MatrixSource, 'name' | 'rows'>,
  pictures: ArrayLike<number>,
  of: keyof SplitPictures,
  split: SplitPictures,
): Int32Array {
  const lists = rowLists(of, split);
  const fitting = lists.find(({ list }) => list.length === rows);
  if (fitting) {
    const at = new Map(Array.from(fitting.list, (picture, row) => [picture, row]));
    return Int32Array.from(pictures, (picture) => at.get(picture)!);
  }
  const last = lists[0]!.list.at(-1) ?? -1;
  if (rows > last) return Int32Array.from(pictures);
  const counts = lists.map(({ list, what }) => `${list.length} (${what}, ascending)`);
  throw new F2iError('FORMAT', 'not a row for each picture', {
    file: name,
    expected: `${counts.join(', ')}, or a row for each picture of the set by its number (more than ${last} rows; ${NSD_PICTURES} of NSD)`,
    found: `${rows} rows`,
  });
}

/** Pictures that a file may have a row each of, instead of all of the set: of the split, or of one side. */
function rowLists(of: keyof SplitPictures, split: SplitPictures) {
  const both = Int32Array.from(new Set([...split.train, ...split.test])).sort();
  return [
    { list: both, what: 'the pictures of the split' },
    { list: split[of], what: `its ${of === 'train' ? 'training' : 'test'} pictures` },
  ];
}

/**
 * What the rows of a file were taken for, in words: rows carry no names, so whoever made the file must be able to see it.
 *
 * @param recording whose pictures they are
 */
export function rowsInWords(
  { rows }: Pick<MatrixSource, 'rows'>,
  of: keyof SplitPictures,
  split: SplitPictures,
  recording: RecordingFacts,
): string {
  const lists = rowLists(of, split);
  const fitting = lists.find(({ list }) => list.length === rows);
  if (fitting) {
    return `the ${fitting.list.length} ${fitting.what.replace(/^(the|its) /, '')}, ${stimuliInOrder(recording, fitting.list)}`;
  }
  return `row i, from 0, is picture i of the set; those of the split are, ${stimuliInOrder(recording, lists[0]!.list)}`;
}

/**
 * Holds a file of features against the head that it is for. A file that has lost its axes (one row of all values) is taken.
 *
 * @throws FORMAT naming file, expected and found
 */
export function checkTargetShape(
  { name, shape, columns }: MatrixSource,
  head: RecipeHead,
): readonly number[] {
  const wanted = head.shape ?? shape;
  const count = wanted.reduce((product, extent) => product * extent, 1);
  if (shape.join() === wanted.join() || (shape.length === 1 && columns === count)) return wanted;
  const hint = 'features of another shape are for --recipe custom';
  throw new F2iError('FORMAT', `not the targets ${head.name} (${head.what}); ${hint}`, {
    file: name,
    field: head.name,
    expected: `[pictures, ${wanted.join(', ')}]`,
    found: `[${[`pictures`, ...shape].join(', ')}]`,
  });
}

/** The same targets with each token (the last axis) divided by its Euclidean norm; one of norm 0 stays 0. */
export function unitTokens(source: MatrixSource, shape: readonly number[]): MatrixSource {
  const width = shape.at(-1) ?? 1;
  return {
    name: source.name,
    rows: source.rows,
    columns: source.columns,
    shape: source.shape,
    async read(rows, from, to, signal) {
      // A norm is of a whole token: blocks are widened to whole ones.
      const first = Math.floor(from / width) * width;
      const last = Math.min(source.columns, Math.ceil(to / width) * width);
      const values = await source.read(rows, first, last, signal);
      const span = last - first;
      const kept = new (values.constructor as Float32ArrayConstructor)(rows.length * (to - from));
      for (let row = 0; row < rows.length; row++) {
        for (let token = 0; token < span; token += width) {
          const at = row * span + token;
          const norm = Math.hypot(...values.subarray(at, at + width));
          for (let i = 0; i < width; i++) {
            const column = first + token + i;
            if (column < from || column >= to) continue;
            kept[row * (to - from) + column - from] = norm > 0 ? values[at + i]! / norm : 0;
          }
        }
      }
      return kept;
    },
    close: () => source.close?.(),
  };
}
