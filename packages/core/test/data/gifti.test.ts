import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesSource, inspectFile, openGifti, readArray } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

interface DataArray {
  data: string;
  encoding?: string;
  type?: string;
  dims?: number[];
  order?: string;
  endian?: string;
  intent?: string;
  name?: string;
  more?: string;
}

/** A GIFTI file as its standard (version 1.0, section 5) lays it out. */
function gifti(arrays: DataArray[], { stated = arrays.length, labels = '', before = '' } = {}): Buffer {
  const parts = arrays.map(
    ({ data, encoding = 'ASCII', type = 'FLOAT32', dims = [3], intent = 'NONE', ...rest }) => {
      const extents = dims.map((n, k) => `Dim${k}="${n}"`).join(' ');
      const endian = `Endian="${rest.endian ?? 'LittleEndian'}"`;
      return `<DataArray Intent="NIFTI_INTENT_${intent}" DataType="NIFTI_TYPE_${type}" ArrayIndexingOrder="${rest.order ?? 'RowMajorOrder'}"
      Dimensionality="${dims.length}" ${extents} Encoding="${encoding}" ${endian} ExternalFileName='' ${rest.more ?? ''}>
      <MetaData><MD><Name><![CDATA[Name]]></Name><Value><![CDATA[${rest.name ?? ''}]]></Value></MD></MetaData>
      <CoordinateSystemTransformMatrix><DataSpace>x</DataSpace><MatrixData>1 0 0 0</MatrixData></CoordinateSystemTransformMatrix>
      <Data>${data}</Data></DataArray>`;
    },
  );
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">
<!-- a comment with <tags> -->${before}
<GIFTI Version="1.0" NumberOfDataArrays="${stated}"><MetaData><MD><Name>Made by</Name><Value>a &lt;test&gt; &#38; you</Value></MD></MetaData>
${labels}${parts.join('\n')}</GIFTI>
`);
}

const open = (bytes: Uint8Array) => openGifti(bytesSource(bytes, 'x.gii'));
const values = [0.5, -1, 3e-5, 7, 1e9, Math.fround(1 / 3)];

/** Six float32 values in each encoding. */
function encoded(encoding: string, endian: string): string {
  const bytes = Buffer.alloc(24);
  for (const [i, value] of values.entries()) {
    if (endian === 'LittleEndian') bytes.writeFloatLE(value, 4 * i);
    else bytes.writeFloatBE(value, 4 * i);
  }
  if (encoding === 'ASCII') return `\n ${values.slice(0, 3).join(' ')}\n${values.slice(3).join('\t')} `;
  if (encoding === 'Base64Binary') return `\n${bytes.toString('base64').replace(/(.{10})/g, '$1\n')}\n`;
  return deflateSync(bytes).toString('base64');
}

describe('GIFTI', () => {
  const cases = ['ASCII', 'Base64Binary', 'GZipBase64Binary'].flatMap((encoding) =>
    ['LittleEndian', 'BigEndian'].map((endian) => ({ encoding, endian })),
  );
  it.each(cases)('reads $encoding, $endian, by rows and by columns', async ({ encoding, endian }) => {
    const array = { data: encoded(encoding, endian), encoding, endian, dims: [2, 3] };
    const file = await open(gifti([array, { ...array, order: 'ColumnMajorOrder' }]));
    expect(await file.read(0)).toEqual({ dtype: 'f32', shape: [2, 3], data: Float32Array.from(values) });
    const byColumns = [0, 2, 4, 1, 3, 5].map((i) => values[i]!);
    expect((await file.read(1)).data).toEqual(Float32Array.from(byColumns));
  });

  it('reads labels, metadata and names', async () => {
    const labels = `<LabelTable><Label Key="0" Red="1">???</Label><Label Key="7"><![CDATA[V1 & V2]]></Label></LabelTable>`;
    const bytes = gifti([{ data: '0 7 7', type: 'INT32', intent: 'LABEL', name: 'areas' }], { labels });
    const file = await open(bytes);
    expect([...file.labels]).toEqual([
      [0, '???'],
      [7, 'V1 & V2'],
    ]);
    expect(file.metadata.get('Made by')).toBe('a <test> & you');
    expect(await file.read(0)).toEqual({ dtype: 'i32', shape: [3], data: Int32Array.of(0, 7, 7) });
    expect(await inspectFile(bytesSource(bytes, 'x.gii'))).toMatchObject({
      format: 'gifti',
      arrays: [{ name: '0', dtype: 'i32', shape: [3] }],
      details: {
        intents: 'NIFTI_INTENT_LABEL',
        encodings: 'ASCII',
        labels: { 7: 'V1 & V2' },
        names: ['areas'],
      },
    });
  });

  it('stacks arrays that are alike, and asks for a number otherwise', async () => {
    const series = gifti([{ data: '1 2 3' }, { data: '4 5 6' }]);
    for (const bytes of [series, gzipSync(series)]) {
      const all = await readArray(bytesSource(bytes, 'file'));
      expect(all).toEqual({ dtype: 'f32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    }
    expect((await readArray(bytesSource(series, 'x.gii'), { array: '1' })).data).toEqual(
      Float32Array.of(4, 5, 6),
    );
    const mixed = bytesSource(gifti([{ data: '1 2 3' }, { data: '4 5', dims: [2] }]), 'x.gii');
    expect((await errorOf(readArray(mixed))).message).toMatch(/its arrays differ: name the one to read/);
    expect((await errorOf(readArray(mixed, { array: '2' }))).message).toMatch(
      /expected a number from 0 to 1/,
    );
  });

  const packed = (bytes: Buffer) => ({
    data: deflateSync(bytes).toString('base64'),
    encoding: 'GZipBase64Binary',
  });
  const bad: [string, Buffer, RegExp][] = [
    [
      'fewer numbers than announced',
      gifti([{ data: '1 2            ' }]),
      /array 0: .*expected 3 numbers, found 2/,
    ],
    ['more numbers than announced', gifti([{ data: '1 2 3 4' }]), /expected 3 numbers, found more/],
    [
      'words for numbers',
      gifti([{ data: '1 0x2 3' }]),
      /not a number of the stated type; expected f32, found "0x2"/,
    ],
    [
      'fractions for integers',
      gifti([{ data: '1 2.5 3', type: 'INT32' }]),
      /expected i32, found "2.5" at element 1/,
    ],
    ['300 for a byte', gifti([{ data: '1 300 3', type: 'UINT8' }]), /expected u8, found "300"/],
    [
      'extents beyond the text',
      gifti([{ data: '1 2 3', dims: [2e9, 2e9] }]),
      /more elements than the text can hold/,
    ],
    ['a bomb', gifti([packed(Buffer.alloc(100_000))]), /expected 12 bytes, found more/],
    ['too few compressed bytes', gifti([packed(Buffer.alloc(4))]), /expected 12 bytes, found 4/],
    [
      'damage to compressed bytes',
      gifti([{ data: 'AAAAAAAAAAAAAAAA', encoding: 'GZipBase64Binary' }]),
      /damaged/,
    ],
    [
      'base 64 that is none',
      gifti([{ data: 'AAAA*AAAAAAAAAAA', encoding: 'Base64Binary' }]),
      /not base 64; found "\*AAAAAAA" at character 4/,
    ],
    ['base 64 cut short', gifti([{ data: 'AAAAAAAAAAAAAAAAA', encoding: 'Base64Binary' }]), /ends too early/],
    [
      'a type that is none',
      gifti([{ data: '1 2 3', type: 'COMPLEX64' }]),
      /array 0: DataType.*found NIFTI_TYPE_COMPLEX64/,
    ],
    ['no extents', gifti([{ data: '1 2 3', dims: [] }]), /Dimensionality/],
    [
      'another number of arrays',
      gifti([{ data: '1 2 3' }], { stated: 2 }),
      /NumberOfDataArrays.*expected 2, found 1/,
    ],
    [
      'a tag that is not closed',
      Buffer.from(
        gifti([{ data: '1 2 3' }])
          .toString()
          .replace('</DataArray>', ''),
      ),
      /line \d+: .*<\/GIFTI> closes <DataArray>/,
    ],
    ['an entity of its own', gifti([{ data: '&lol; 2 3' }]), /an unknown entity; found &lol;/],
    [
      'attributes twice',
      gifti([{ data: '1 2 3', more: 'Intent="x"' }]),
      /an attribute occurs twice; found Intent/,
    ],
    ['hostile nesting', gifti([], { labels: '<a>'.repeat(100_000) }), /nested deeper than 64 levels/],
    ['another root', Buffer.from('<VOLUME/>'), /expected <GIFTI>, found <VOLUME>/],
    ['text after the end', Buffer.concat([gifti([]), Buffer.from('x')]), /text outside of the root/],
    [
      'labels of one key',
      gifti([], { labels: '<LabelTable><Label Key="1">a</Label><Label Key="1">b</Label></LabelTable>' }),
      /a label without a key of its own/,
    ],
  ];
  it.each(bad)('refuses %s', async (_, bytes, words) => {
    const error = await errorOf(readArray(bytesSource(bytes, 'x.gii'), { array: '0' }));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'x.gii' });
    expect(error.message).toMatch(words);
  });

  it('refuses external files and declarations of entities', async () => {
    const external = gifti([{ data: '', encoding: 'ExternalFileBinary' }]);
    expect(await errorOf(open(external))).toMatchObject({ code: 'UNSUPPORTED', field: 'array 0: Encoding' });
    const declared = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>';
    expect(await errorOf(open(gifti([], { before: declared })))).toMatchObject({
      code: 'UNSUPPORTED',
      field: 'line 3',
    });
  });
});
