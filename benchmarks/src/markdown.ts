export type Cell = string | number | undefined;

/** A table of Markdown; what is undefined is an empty cell. Every row has a cell for each column. */
export function markdownTable(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const odd = rows.find((row) => row.length !== columns.length);
  if (odd) throw new Error(`a table of ${columns.length} columns: a row has ${odd.length} cells`);
  const line = (cells: readonly Cell[]) => `| ${cells.map((cell) => cell ?? '').join(' | ')} |`;
  return [line(columns), `|${'---|'.repeat(columns.length)}`, ...rows.map(line)].join('\n');
}
