import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesSource, lineOf, parseNumber, readNumericTable, readTable } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';
import { itWith, sharedSource } from './helpers/shared_data.ts';

const source = (text: string, name = 't.tsv') => bytesSource(new TextEncoder().encode(text), name);

describe('tables', () => {
  it('reads tabs, commas, spaces; LF and CRLF; with and without header', async () => {
    const expected = [1, -2.5, 300, 0.25];
    for (const [text, name] of [
      ['a\tb\n1\t-2.5\n3e2\t.25\n', 't.tsv'],
      ['a,b\r\n1,-2.5\r\n3e2,.25', 't.csv'],
      ['1 -2.5\n 3e+2   0.25 \n\n\n', 't.txt'],
      ['\ufeff1\t-2.5\n300\t0.25', 't.tsv'],
    ] as const) {
      const table = await readNumericTable(source(text, name));
      expect([...table.data]).toEqual(expected);
      expect(table.columns).toEqual(table.hasHeader ? ['a', 'b'] : ['0', '1']);
      expect(table.rowCount).toBe(2);
    }
  });

  it('keeps text as text, where asked without header', async () => {
    const table = await readTable(source('rest 0\nface 1\n', 't.txt'), { header: false });
    expect(table.rows).toEqual([
      ['rest', '0'],
      ['face', '1'],
    ]);
    expect(lineOf(table, 1)).toBe(2);
  });

  it('keeps empty cells between tabs', async () => {
    expect((await readTable(source('a\tb\tc\nx\t\ty\n'))).rows).toEqual([['x', '', 'y']]);
  });

  it('reads gzip, in pieces, lines across them', async () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => `${i}\t${i / 8}`);
    const table = await readNumericTable(bytesSource(gzipSync(`x\ty\n${lines.join('\n')}\n`), 't.tsv.gz'));
    expect(table.rowCount).toBe(60_000);
    expect([...table.data.subarray(119_998)]).toEqual([59_999, 59_999 / 8]);
  });

  const malformed: [string, string, string][] = [
    ['1\t2\n3\n', 'line 2', 'ragged'],
    ['1\t2\n3\tx\n', 'line 2, column 1', 'text'],
    ['a\tb\n3\t\n', 'line 2, column b', 'an empty cell'],
    ['a\tb\n3\t0x10\n', 'line 2, column b', 'hexadecimal'],
    ['a\ta\n3\t1\n', 'line 1', 'a doubled name'],
    ['1\t2\n\n3\t4\n', 'line 2', 'a blank line'],
  ];
  it.each(malformed)('%j is an error at %s (%s)', async (text, field) => {
    const error = await errorOf(readNumericTable(source(text)));
    expect(error).toMatchObject({ code: 'FORMAT', file: 't.tsv', field });
  });

  it('rejects what is not text', async () => {
    for (const bytes of [[0xff, 0xfe, 0x31, 0x00], [0x31, 0, 0x32], []]) {
      expect((await errorOf(readTable(bytesSource(new Uint8Array(bytes), 'b.tsv')))).code).toBe('FORMAT');
    }
  });

  it('is strict about numbers', () => {
    for (const text of ['', ' 1', '1 ', '1,5', '0x1', '1e', 'e5', '.', '+', '--1', '1_000', 'n/a']) {
      expect(parseNumber(text), text).toBeUndefined();
    }
    expect(['1.', '+.5', '-1E-3', 'NaN', '-inf', 'Infinity'].map(parseNumber)).toEqual([
      1,
      0.5,
      -0.001,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
  });

  itWith('data')('reads the responses of v1-bars', async () => {
    const table = await readNumericTable(await sharedSource('v1-bars/mask-v1_bold.tsv.gz'));
    expect(table.rowCount).toBe(150);
    expect(table.columns.length).toBe(2366);
    expect([...table.data.subarray(0, 3)]).toEqual([0, -0.7982142, -0.3547812]);
  });
});
