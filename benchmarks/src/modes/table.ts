import { existsSync, readFileSync } from 'node:fs';
import { type AnyRow, latest, resultsTable } from '../table.ts';
import type { Mode } from './mode.ts';

/** Files of recorded rows, printed for people. */
export const table: Mode = async (options, files) => {
  if (files.length === 0) throw new Error('table: expected files of recorded rows, found none');
  const rows = files.flatMap(readRows);
  console.log(resultsTable(options.latest ? latest(rows) : rows));
  return 0;
};

function readRows(file: string): AnyRow[] {
  if (!existsSync(file)) throw new Error(`table: ${file}: expected a file of recorded rows, found none`);
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    try {
      const row = JSON.parse(line) as AnyRow;
      if (typeof row === 'object' && row !== null && ('op' in row || 'model' in row)) return [row];
    } catch {
      // said below
    }
    throw new Error(`${file}, line ${i + 1}: expected a row that --record wrote, found ${line.slice(0, 60)}`);
  });
}
