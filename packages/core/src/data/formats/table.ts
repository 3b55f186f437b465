import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { Source } from '../source.ts';
import { gunzipPieces, isGzipFile } from './gzip.ts';

/**
 * Tables as text, gzipped or not: one line a row, cells between tabs, commas or runs of spaces. Numbers are strict, and
 * a row with another number of cells than the first is an error that names its line.
 */
export interface TableOptions {
  /** Whether the first line names the columns. `auto`: it does when one of its cells is not a number. */
  header?: boolean | 'auto' | undefined;
  /** `auto`: a tab if the first line has one, else a comma for `.csv`, else spaces. */
  delimiter?: 'tab' | 'comma' | 'space' | 'auto' | undefined;
  signal?: AbortSignal | undefined;
}

interface Head {
  readonly file: string;
  /** Names of the columns; without a header, their indices from 0. */
  readonly columns: readonly string[];
  readonly hasHeader: boolean;
  readonly delimiter: 'tab' | 'comma' | 'space';
  readonly rowCount: number;
}

export interface Table extends Head {
  readonly rows: readonly (readonly string[])[];
}

export interface NumericTable extends Head {
  /** Row-major, rowCount x columns. */
  readonly data: Float64Array;
}

const separators = { tab: '\t', comma: ',' } as const;
/** No line of numbers is this long; a file of zeros that was mistaken for text is. */
const longestLine = 1 << 26;

/** Line of the file on which a row stands, from 1. */
export function lineOf(table: Head, row: number): number {
  return row + (table.hasHeader ? 2 : 1);
}

/** Reads all cells as text. Throws FORMAT for ragged rows, doubled column names, blank lines within, other text. */
export async function readTable(source: Source, options: TableOptions = {}): Promise<Table> {
  const rows: string[][] = [];
  const head = await readRows(source, options, (cells) => {
    rows.push(cells);
  });
  return { ...head, rows };
}

/**
 * Reads a table of numbers. `nan` and `inf`, in the usual spellings, are read as such: whether they may occur is for
 * the caller to say. Throws FORMAT for any other text, naming line and column.
 */
export async function readNumericTable(source: Source, options: TableOptions = {}): Promise<NumericTable> {
  let data = allocate('f64', 1 << 12, source.name);
  let count = 0;
  const head = await readRows(source, options, (cells, line, columns) => {
    if (count + cells.length > data.length) {
      const grown = allocate('f64', 2 * data.length + cells.length, source.name);
      grown.set(data);
      data = grown;
    }
    for (let k = 0; k < cells.length; k++) {
      const value = parseNumber(cells[k]!);
      if (value === undefined) throw notANumber(source.name, line, columns[k]!, cells[k]!);
      data[count++] = value;
    }
  });
  return { ...head, data: data.slice(0, count) };
}

function notANumber(file: string, line: number, column: string, cell: string): F2iError {
  const found = JSON.stringify(cell.slice(0, 40));
  return new F2iError('FORMAT', 'not a number', { file, field: `line ${line}, column ${column}`, found });
}

/** A decimal number, or undefined. Unlike `Number`, takes neither blanks nor hexadecimal for numbers. */
export function parseNumber(text: string): number | undefined {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  const named = /^([+-]?)(nan|inf|infinity)$/i.exec(text);
  if (!named) return undefined;
  if (named[2]!.toLowerCase() === 'nan') return Number.NaN;
  return named[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

async function readRows(
  source: Source,
  { header = 'auto', delimiter = 'auto', signal }: TableOptions,
  take: (cells: string[], line: number, columns: readonly string[]) => void,
): Promise<Head> {
  const file = source.name;
  let columns: string[] | undefined;
  let separator: Head['delimiter'] = 'tab';
  let hasHeader = false;
  let rowCount = 0;
  let line = 0;
  let blank = 0;
  for await (const text of linesOf(source, signal)) {
    line++;
    if (text.trim() === '') {
      blank ||= line;
      continue;
    }
    if (blank) {
      throw new F2iError('FORMAT', 'a blank line within the table', { file, field: `line ${blank}` });
    }
    if (columns === undefined) separator = delimiter === 'auto' ? detectDelimiter(text, file) : delimiter;
    const cells = separator === 'space' ? text.trim().split(/[ \t]+/) : text.split(separators[separator]);
    for (let k = 0; k < cells.length; k++) cells[k] = cells[k]!.trim();
    if (separator === 'comma' && cells.some((cell) => cell.startsWith('"'))) {
      throw new F2iError('UNSUPPORTED', 'quoted cells are not read; use tabs', {
        file,
        field: `line ${line}`,
      });
    }
    if (columns === undefined) {
      hasHeader = header === 'auto' ? cells.some((cell) => parseNumber(cell) === undefined) : header;
      columns = hasHeader ? cells : cells.map((_, k) => `${k}`);
      const doubled = columns.find((name, k) => columns!.indexOf(name) !== k);
      if (doubled !== undefined) {
        throw new F2iError('FORMAT', 'two columns of one name', { file, field: 'line 1', found: doubled });
      }
      if (hasHeader) continue;
    }
    if (cells.length !== columns.length) {
      throw new F2iError('FORMAT', 'a row with another number of cells than the first', {
        file,
        field: `line ${line}`,
        expected: `${columns.length}`,
        found: `${cells.length}`,
      });
    }
    take(cells, line, columns);
    rowCount++;
  }
  if (columns === undefined) throw new F2iError('FORMAT', 'an empty table', { file });
  return { file, columns, hasHeader, delimiter: separator, rowCount };
}

function detectDelimiter(firstLine: string, file: string): Head['delimiter'] {
  if (firstLine.includes('\t')) return 'tab';
  return /\.csv(\.gz)?$/i.test(file) ? 'comma' : 'space';
}

/** Lines without their ends (LF or CRLF); a byte order mark is dropped. */
async function* linesOf(source: Source, signal?: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (piece?: Uint8Array) => {
    try {
      return piece ? decoder.decode(piece, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw new F2iError('FORMAT', 'not UTF-8 text', { file: source.name, cause });
    }
  };
  const breathe = pacer(signal, `reading ${source.name}`);
  let rest = '';
  for await (const piece of piecesOf(source, signal)) {
    const text = rest + decode(piece);
    if (text.includes('\0')) {
      throw new F2iError('FORMAT', 'not text: it holds NUL characters', { file: source.name });
    }
    const lines = text.split('\n');
    rest = lines.pop()!;
    if (rest.length > longestLine) {
      throw new F2iError('FORMAT', `not a table: a line is longer than ${longestLine} characters`, {
        file: source.name,
      });
    }
    for (const line of lines) {
      yield line.endsWith('\r') ? line.slice(0, -1) : line;
      await breathe();
    }
  }
  rest += decode();
  if (rest !== '') yield rest.endsWith('\r') ? rest.slice(0, -1) : rest;
}

const pieceBytes = 1 << 18;

async function* piecesOf(source: Source, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (await isGzipFile(source, signal)) {
    yield* gunzipPieces(source, signal);
    return;
  }
  for (let at = 0; at < source.size; at += pieceBytes) {
    yield await source.read(at, Math.min(pieceBytes, source.size - at), signal);
  }
}
