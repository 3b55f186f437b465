import { describe, expect, it } from 'vitest';
import {
  encodeNifti,
  encodeNpy,
  encodePng,
  F2iError,
  type Json,
  loadStudy,
  memoryFolder,
  type Study,
} from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

const text = (content: string) => new TextEncoder().encode(content);
const ramp = (length: number) => Float32Array.from({ length }, (_, i) => (i * 7) % 23);
const picture = encodePng({ width: 3, height: 2, channels: 1, data: ramp(6).map((x) => x / 23) });

const files: [string, Uint8Array][] = [
  ['bold.nii', encodeNifti({ data: ramp(2 * 2 * 1 * 12), dtype: 'f32', shape: [2, 2, 1, 12], tr: 2 })],
  ['mask.nii', encodeNifti({ data: new Uint8Array([1, 0, 1, 1]), dtype: 'u8', shape: [2, 2, 1] })],
  ['events.tsv', text('onset\tstimulus\tlabel\n2\ta.png\tA\n9.5\tb.png\tB\n14\ta.png\tA\n')],
  ['pictures/a.png', picture],
  ['pictures/b.png', picture],
  ['betas.npy', encodeNpy({ dtype: 'f32', shape: [4, 5], data: ramp(20) })],
  ['trials.tsv', text('stimulus\trun\tsplit\n0\t1\ttrain\n1\t1\ttrain\n2\t2\ttest\n3\t2\ttest\n')],
  ['stimuli.npy', encodeNpy({ dtype: 'u8', shape: [4, 6, 4], data: Uint8Array.from(ramp(96)) })],
  ['series.tsv', text(Array.from({ length: 4 }, (_, t) => `${t}\t${t * t}\t${3 - t}`).join('\n'))],
];

const common = { format: 'fmri2image-study', version: 1, name: 's', indexBase: 0 };
const manifests: Record<string, Json> = {
  'events in an image': {
    ...common,
    tr: 2,
    voxels: { file: 'bold.nii', mask: 'mask.nii', rows: 'volumes' },
    runs: [{ name: 'one', first: 0, last: 11, session: 's1', group: 'g', split: 'train' }],
    trials: { file: 'events.tsv', columns: { label: 'label' }, onsetFrom: 'run', dropLabels: ['rest'] },
    stimuli: { folder: 'pictures', size: [2, 2], colour: 'grey' },
  },
  'responses to trials': {
    ...common,
    voxels: { file: 'betas.npy', rows: 'trials', orientation: 'rows-by-voxels' },
    trials: { file: 'trials.tsv' },
    stimuli: { file: 'stimuli.npy', axes: ['stimulus', 'x', 'y'], range: [0, 23], reduce: { x: 2, y: 2 } },
    visualField: { widthDegrees: 10, heightDegrees: 8, origin: 'centre', yDirection: 'up' },
  },
  'a continuous stimulus': {
    ...common,
    tr: 1.5,
    voxels: { file: 'series.tsv', rows: 'volumes', dropColumns: ['0'], dropBadVoxels: true },
    trials: { everyVolume: true },
    stimuli: { file: 'stimuli.npy', axes: ['stimulus', 'x', 'y'] },
    scored: { above: 0.3, pixels: 1 },
  },
};

function load(manifest: Json, extra: [string, Uint8Array][] = []): Promise<Study> {
  const study: [string, Uint8Array] = ['study.json', text(JSON.stringify(manifest))];
  return loadStudy(memoryFolder([...files, ...extra, study], 'lab'), 'study.json');
}

/** What a manifest might say instead, by mistake or on purpose. */
const instead: Json[] = [
  null,
  true,
  -1,
  0,
  0.5,
  3,
  1e9,
  9007199254740991,
  1e300,
  '',
  'x',
  '../secret',
  '/etc/passwd',
  'data:../x',
  'data:',
  'pictures',
  'bold.nii',
  'events.tsv',
  '__proto__',
  '\u0000',
  [],
  [[]],
  ['bold.nii', 'bold.nii'],
  [1e9, 1e9],
  [0, 0],
  {},
  { __proto__x: 1 },
];

/** Every manifest that differs from the given one in one place. */
function* variants(json: Json): Generator<Json> {
  if (typeof json === 'object' && json !== null) {
    for (const key of Object.keys(json)) {
      const copy = () => structuredClone(json) as Record<string, Json>;
      const without = copy();
      delete without[key];
      if (!Array.isArray(json)) yield without;
      for (const inner of variants((json as Record<string, Json>)[key]!)) {
        const changed = copy();
        changed[key] = inner;
        yield changed;
      }
    }
    if (!Array.isArray(json)) yield { ...json, unknown: 1 };
  }
  yield* instead;
}

describe('hostile manifests', () => {
  for (const [name, manifest] of Object.entries(manifests)) {
    it(`${name}: any one thing wrong is an error that says where, or harmless`, async () => {
      const study = await load(manifest);
      expect(study.trials.length).toBeGreaterThan(2);
      let errors = 0;
      for (const variant of variants(manifest)) {
        const shown = JSON.stringify(variant);
        try {
          await load(variant);
        } catch (error) {
          if (!(error instanceof F2iError)) throw new Error(`${shown}: ${(error as Error).stack}`);
          expect(error.file, `${shown}: ${error.message}`).toBeTruthy();
          expect(['FORMAT', 'USAGE', 'UNSUPPORTED', 'IO', 'OUT_OF_MEMORY']).toContain(error.code);
          errors++;
        }
      }
      expect(errors).toBeGreaterThan(200);
    });
  }

  it.each(['../secret', '/etc/passwd', 'a/../../b', 'C:/x', 'x\\y', 'data:../x'])(
    'the path %s is refused, naming the manifest and the field',
    async (path) => {
      const error = await errorOf(
        load({ ...(manifests['responses to trials'] as object), trials: { file: path } }),
      );
      expect(error).toMatchObject({ code: 'USAGE', file: 'lab/study.json', field: 'trials.file' });
    },
  );

  const eventStudy = { ...(manifests['events in an image'] as object), trials: { file: 'events.tsv' } };

  it('a picture name in a table cannot leave the folder', async () => {
    const events: [string, Uint8Array] = ['events.tsv', text('onset\tstimulus\n2\t../study.json\n')];
    expect((await errorOf(load(eventStudy, [events]))).code).toBe('USAGE');
  });

  const tables: [string, string, RegExp][] = [
    ['two trials at once', 'onset\tstimulus\n2\ta.png\n2\tb.png\n', /line 3.*same time.*line 2/],
    ['a hexadecimal onset', 'onset\tstimulus\n0x2\ta.png\n', /line 2, onset.*0x2/],
    ['an onset that is not a number', 'onset\tstimulus\nnan\ta.png\n', /line 2, onset/],
    ['an onset before the run', 'onset\tstimulus\n-1\ta.png\n', /outside its run/],
    ['an onset after the run', 'onset\tstimulus\n24\ta.png\n', /outside its run/],
    ['a negative duration', 'onset\tduration\tstimulus\n2\t-1\ta.png\n', /duration/],
    ['a trial without a stimulus', 'onset\tstimulus\n2\tn/a\n', /names no stimulus/],
    ['a picture that is not there', 'onset\tstimulus\n2\tc.png\n', /c\.png.*no such file/],
    ['no trials', 'onset\tstimulus\n', /no trials/],
  ];
  it.each(tables)('rejects %s', async (_, table, message) => {
    const error = await errorOf(load(eventStudy, [['events.tsv', text(table)]]));
    expect(error.message).toMatch(message);
  });

  const mistakes: [Record<string, Json>, RegExp][] = [
    [{ trials: { file: 'events.tsv', heder: true } }, /: trials: unknown key "heder": did you mean header\?/],
    [
      { trials: { file: 'events.tsv', onsetFrom: 'x' } },
      /: trials\.onsetFrom: .*expected "run" or "series", found "x"$/,
    ],
    [
      { stimuli: { folder: 'pictures' } },
      /: stimuli\.size: missing; expected \[height, width\].*found nothing$/,
    ],
    [
      { stimuli: { folder: 'pictures', size: '64' } },
      /stimuli\.size: .*expected \[height, width\].*found "64"$/,
    ],
    [
      { stimuli: { folder: 'pictures', size: [64] } },
      /stimuli\.size.*expected \[height, width\].*found \[64\]$/,
    ],
    [
      { stimuli: { folder: 'pictures', size: [0, 64] } },
      /stimuli\.size\.0: .*expected more than 0, found 0$/,
    ],
    [
      { stimuli: { folder: 'pictures', size: [2, 2], color: 'rgb' } },
      /: stimuli: unknown key "color": did you mean colour\?/,
    ],
    [{ stimuli: { folder: 'pictures', sise: [2, 2] } }, /: stimuli: unknown key "sise": did you mean size\?/],
    [{ stimuli: { file: 'stimuli.npy' } }, /: stimuli\.axes: missing; expected a list of stimulus/],
    [{ indexBase: 2 }, /: indexBase: .*expected 0 or 1, found 2$/],
    [{ voxels: { file: 3, rows: 'volumes' } }, /: voxels\.file: .*expected text or a list, found 3$/],
    [{ runs: [{ name: 'a', first: 0 }] }, /: runs\.0\.last: missing; expected a number, found nothing$/],
    [
      { runs: [{ name: true, first: 0, last: 1 }] },
      /: runs\.0\.name: .*expected text or a number, found true$/,
    ],
    [
      { trials: { file: 'events.tsv', columns: { size: 3 } } },
      /trials\.columns\.size: .*expected text, found 3$/,
    ],
    [{ tr: '2' }, /: tr: .*expected a number, found "2"$/],
  ];
  it.each(mistakes)('%j: the error is about what was meant', async (change, message) => {
    expect((await errorOf(load({ ...eventStudy, ...change }))).message).toMatch(message);
  });

  it('rejects a continuous stimulus of another length than the series', async () => {
    const stimuli: [string, Uint8Array] = [
      'stimuli.npy',
      encodeNpy({ dtype: 'u8', shape: [5, 6, 4], data: new Uint8Array(120) }),
    ];
    const error = await errorOf(load(manifests['a continuous stimulus']!, [stimuli]));
    expect(error.message).toMatch(/expected 4, the volumes of series\.tsv, found 5/);
  });

  it('refuses a table whose column of rows counts in another order, and takes any other column of that name', async () => {
    const table = (rows: readonly (number | string)[]): [string, Uint8Array] => [
      'trials.tsv',
      text(`stimulus\trow\n${rows.map((row, i) => `${i}\t${row}`).join('\n')}\n`),
    ];
    const of = (rows: readonly (number | string)[]) =>
      load(manifests['responses to trials']!, [table(rows)]).then(
        ({ trials }) => trials.length,
        (error: F2iError) => error.message,
      );
    expect(await of([0, 2, 1, 3])).toMatch(/trials\.tsv: line 3, row: .*order.*expected 1, found 2/);
    expect(await of([4, 3, 2, 1])).toMatch(/line 2, row: .*expected 1, found 4/);
    for (const rows of [
      [0, 1, 2, 3],
      [1, 2, 3, 4],
      [3, 3, 0, 1],
      [7, 2, 9, 4],
      ['left', 'right', 'left', 'n/a'],
    ]) {
      expect(await of(rows)).toBe(4);
    }
  });

  it('takes runs from a table with a line for each volume, so that nothing crosses their borders', async () => {
    const manifest = {
      ...common,
      tr: 2,
      voxels: { file: 'series.tsv', rows: 'volumes' },
      trials: { file: 'labels.txt', header: false, columns: { label: '0', run: '1' } },
    };
    const study = await load(manifest, [['labels.txt', text('A 1\nB 1\nA 2\nB 2\n')]]);
    expect(study.runs).toEqual([
      { name: '1', start: 0, end: 2 },
      { name: '2', start: 2, end: 4 },
    ]);
    const torn = await errorOf(load(manifest, [['labels.txt', text('A 1\nB 2\nA 1\nB 2\n')]]));
    expect(torn.message).toMatch(/labels\.txt: line 3, run: the volumes of a run are not together/);
  });

  it('warns of a mask from elsewhere and of a split that nothing looks for', async () => {
    const affine = [
      [1, 0, 0, 5],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ];
    const data = new Uint8Array([1, 0, 1, 1]);
    const mask: [string, Uint8Array] = [
      'mask.nii',
      encodeNifti({ data, dtype: 'u8', shape: [2, 2, 1], affine }),
    ];
    const study = await load(manifests['events in an image']!, [mask]);
    expect(study.warnings.join()).toMatch(/mask\.nii: its affine differs .* 5/);
    const trials: [string, Uint8Array] = [
      'trials.tsv',
      text('stimulus\tsplit\n0\ttrain\n1\ttset\n2\ttest\n3\ttest\n'),
    ];
    expect((await load(manifests['responses to trials']!, [trials])).warnings.join()).toMatch(/"tset"/);
  });

  it('are labels to drop that no trial has, and a repetition time in milliseconds', async () => {
    const labelled = manifests['events in an image']! as { trials: Record<string, Json> };
    const warningsOf = async (drop: string[]) => {
      const trials = { ...labelled.trials, dropLabels: drop };
      const { warnings } = await load({ ...(labelled as Record<string, Json>), trials });
      return warnings.filter((warning) => warning.includes('label'));
    };
    expect(await warningsOf(['B'])).toEqual([]);
    expect(await warningsOf(['A', 'rset'])).toEqual([
      expect.stringMatching(/no trial has the label "rset" of trials\.dropLabels; labels are A, B$/),
    ]);
    const series = manifests['a continuous stimulus']! as Record<string, Json>;
    expect((await load(series)).warnings.join()).not.toMatch(/milliseconds/);
    expect((await load({ ...series, tr: 1500 })).warnings).toContain(
      'the repetition time (tr) is 1500 s: was it written in milliseconds?',
    );
  });
});
