import { F2iError, type ReceptiveFields } from '@fmri2image/core';
import type { FoldJson, FoldRecord } from './folds.ts';

export const FIELDS_FILE = 'receptive-fields.tsv';

/** Columns that every voxel has, and those of some models. */
const ALWAYS = ['x', 'y', 'size', 'amplitude', 'correlation'] as const;
const SOMETIMES = ['exponent', 'surroundSize', 'surroundVolume'] as const;
type Column = (typeof ALWAYS)[number] | (typeof SOMETIMES)[number];

/** A line for each voxel of each fold, which is counted from 1; undefined where no fold has any. */
export function fieldsTable(folds: readonly FoldRecord[]): string | undefined {
  const all = folds.flatMap(({ maps }) => maps?.fields ?? []);
  if (all.length === 0) return undefined;
  const columns: Column[] = [...ALWAYS, ...SOMETIMES.filter((name) => all.some((fields) => fields[name]))];
  const lines = folds.flatMap(({ maps }, f) => {
    if (!maps) return [];
    const { fields } = maps;
    return Array.from(fields.voxel, (voxel, i) =>
      [f + 1, voxel, ...columns.map((name) => fields[name]?.[i] ?? 'n/a')].join('\t'),
    );
  });
  return `${[['fold', 'voxel', ...columns].join('\t'), ...lines].join('\n')}\n`;
}

/** Reads it back, by fold. */
export function readFieldsTable(
  text: string,
  file: string,
  folds: readonly FoldJson[],
): (ReceptiveFields | undefined)[] {
  const [header = '', ...lines] = text.trimEnd().split('\n');
  const names = header.split('\t');
  const missing = ['fold', 'voxel', ...ALWAYS].find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new F2iError('FORMAT', 'a column is missing', { file, expected: missing, found: header });
  }
  const rows = lines.map((line, i) => {
    const cells = line.split('\t');
    const values = cells.map((cell) => (cell === 'n/a' ? Number.NaN : Number(cell)));
    const bad = cells.findIndex((cell, c) => cell !== 'n/a' && !(cell !== '' && Number.isFinite(values[c])));
    if (bad >= 0 || cells.length !== names.length) {
      throw new F2iError('FORMAT', 'not a line of receptive fields', {
        file,
        field: `line ${i + 2}`,
        expected: `${names.length} numbers`,
        found: bad >= 0 ? `"${cells[bad]}"` : `${cells.length}`,
      });
    }
    return values;
  });
  const at = (name: string) => names.indexOf(name);
  return folds.map(({ maps }, f) => {
    if (!maps) return undefined;
    const own = rows.filter((row) => row[at('fold')] === f + 1);
    const column = (name: string) => Float32Array.from(own, (row) => row[at(name)]!);
    const sometimes = SOMETIMES.flatMap((name) => {
      const values = names.includes(name) ? column(name) : undefined;
      return values && !values.every(Number.isNaN) ? [[name, values] as const] : [];
    });
    const always = Object.fromEntries(ALWAYS.map((name) => [name, column(name)])) as Record<
      (typeof ALWAYS)[number],
      Float32Array
    >;
    return {
      unit: maps.unit,
      extent: maps.extent,
      voxel: Int32Array.from(own, (row) => row[at('voxel')]!),
      ...always,
      ...Object.fromEntries(sometimes),
    };
  });
}
