/** Vega's expression that makes several lines of a label with line feeds. */
export const LINES = "split(datum.label, '\\n')";

/**
 * A name in lines, broken behind spaces, commas, hyphens, underscores and dots, or where it must be: nothing is cut off.
 *
 * @param most characters of a line
 * @returns lines with a line feed between them
 */
export function wrapped(name: string, most: number): string {
  const lines: string[] = [];
  let line = '';
  for (const piece of name.match(/[^\s,\-_.]*[\s,\-_.]*/g) ?? []) {
    if (line !== '' && (line + piece).trimEnd().length > most) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += piece;
    while (line.trimEnd().length > most) {
      lines.push(line.slice(0, most));
      line = line.slice(most);
    }
  }
  return [...lines, line.trimEnd()].filter((part) => part !== '').join('\n');
}
