import { createRandom, NORMALISATIONS, prepareStudy, SPLIT_NAMES, type Study } from '@fmri2image/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { datasetDescription, derivativeNameNote, label, subjectEntity } from '../src/bids.ts';
import { baselineOf, chanceInWords, constantOf } from '../src/pipeline/baselines.ts';
import { type FoldRecord, foldSchema, foldToJson } from '../src/pipeline/folds.ts';
import { sawTestInWords } from '../src/pipeline/ledger.ts';
import { fieldsTable, readFieldsTable } from '../src/pipeline/receptiveFields.ts';
import { rowInWords } from '../src/pipeline/rowWidth.ts';
import { redactHome } from '../src/redact.ts';
import type { ReportData } from '../src/report/data.ts';
import { atPercentiles, atRandom, PERCENTILES } from '../src/report/examples.ts';
import { drawFields } from '../src/report/figures/fields.ts';
import { histogram } from '../src/report/figures/histogram.ts';
import { drawScores } from '../src/report/figures/scores.ts';
import { minus, pValue, ranges, score } from '../src/report/format.ts';
import { html } from '../src/report/html.ts';
import { mergedLedger } from '../src/report/ledger.ts';
import { publishedModelSentences } from '../src/report/methodsOfModel.ts';
import { recipeSentences } from '../src/report/methodsOfRecipe.ts';
import { draw } from '../src/report/plot.ts';
import { normalisationSentence, splitInWords } from '../src/report/publishedTerms.ts';
import { Citations } from '../src/report/references.ts';
import { ledgerSection } from '../src/report/sections/ledger.ts';

describe('html', () => {
  it('escapes what comes from files, and nests markup of its own', () => {
    const name = `<img src=x onerror='alert("1")'>&amp;`;
    const item = html`<b title="${name}">${name}</b>`;
    expect(html`<p>${[item, ' ', 3, false, undefined]}</p>`.text).toBe(
      '<p><b title="&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt;&amp;amp;">' +
        '&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt;&amp;amp;</b> 3</p>',
    );
  });

  it('shows control characters, and drops marks that turn the direction of text', () => {
    expect(html`${'a\u0000b\u001b[31mc'}`.text).toBe('a\ufffdb\ufffd[31mc');
    expect(html`${'gnp\u202egnp.exe'}`.text).toBe('gnpgnp.exe');
  });
});

describe('redactHome', () => {
  beforeEach(() => void vi.stubEnv('HOME', '/home/ann.e'));
  afterEach(() => void vi.unstubAllEnvs());

  it.each([
    ['/home/ann.e', '~'],
    ['--data=/home/ann.e/fmri', '--data=~/fmri'],
    ['"/home/ann.e", /home/ann.e/x:/home/ann.e', '"~", ~/x:~'],
    ['/home/ann.eva/x', '/home/ann.eva/x'],
    ['/home/ann-e/x', '/home/ann-e/x'],
    ['/home/annxe/x', '/home/annxe/x'],
    ['/mnt/home/ann.e/x', '/mnt/home/ann.e/x'],
    ['read from /home/ann.e.', 'read from ~.'],
  ])('%s becomes %s', (text, expected) => expect(redactHome(text)).toBe(expected));

  it('works in what is escaped', () => {
    vi.stubEnv('HOME', '/home/a&b');
    expect(html`${'/home/a&b/study'}`.text).toBe('~/study');
  });
});

describe('format', () => {
  it('writes numbers as papers do', () => {
    expect([score(-0.1234), score(-0.0001), score(undefined)]).toEqual(['\u22120.123', '0.000', 'n/a']);
    expect(minus('-0')).toBe('0');
    expect([pValue(0.0504), pValue(0.00123), pValue(null)]).toEqual(['0.050', '0.0012', 'n/a']);
    expect(ranges([1, 2, 3, 5, 7, 8])).toBe('1 to 3, 5, 7, 8');
  });
});

describe('examples', () => {
  it('stand at fixed percentiles, the worst and the best among them', () => {
    const scores = createRandom(1).shuffle(Array.from({ length: 101 }, (_, i) => i / 100));
    const examples = atPercentiles(scores);
    expect(examples.map(({ percentile }) => percentile)).toEqual([...PERCENTILES]);
    for (const { percentile, place } of examples) expect(scores[place]).toBe(percentile! / 100);
  });

  it('take equal scores in the order of the study, and each trial once', () => {
    expect(atPercentiles([0.5, 0.5, 0.5]).map(({ place }) => place)).toEqual([0, 1, 2]);
    expect(atPercentiles([0.2])).toEqual([{ percentile: 0, place: 0 }]);
  });

  it('are drawn by the seed, without replacement', () => {
    const drawn = atRandom(100, 7).map(({ place }) => place);
    expect(drawn).toEqual(atRandom(100, 7).map(({ place }) => place));
    expect(drawn).not.toEqual(atRandom(100, 8).map(({ place }) => place));
    expect(new Set(drawn).size).toBe(12);
    expect(drawn).toEqual(drawn.toSorted((a, b) => a - b));
    expect(atRandom(5, 7).map(({ place }) => place)).toEqual([0, 1, 2, 3, 4]);
    const counts = new Array<number>(20).fill(0);
    for (let seed = 0; seed < 500; seed++) for (const { place } of atRandom(20, seed)) counts[place]!++;
    for (const count of counts) expect(Math.abs(count - 300)).toBeLessThan(60);
  });
});

describe('histogram', () => {
  it('counts each value once, borders above', () => {
    const bins = histogram([0, 0.2, 0.39, 0.4, 1, 1], [0, 1], 5);
    expect(bins.map(({ count }) => count)).toEqual([1, 2, 1, 0, 2]);
  });
});

const study = {
  name: 'sweeps',
  trials: ['a', 'a', 'b', 'b', 'c', 'c'].map((run) => ({ run })),
} as unknown as Study;

/** A fold that holds out one run. */
function foldOf(heldOut: string, first: number, delays: string): FoldRecord {
  const runs = ['a', 'b', 'c'].filter((run) => run !== heldOut);
  const trials = [0, 1, 2, 3, 4, 5].filter((trial) => trial < first || trial > first + 1);
  return {
    heldOut: `run ${heldOut}`,
    decoder: 'ridge',
    voxels: 10,
    preprocess: [],
    training: { study: 'sweeps', trials: trials.map((trial) => [trial, trial]), stimuli: [] },
    config: {},
    report: {},
    ledger: [
      { step: 'drift', runs: ['a', 'b', 'c'], sawTest: 'yes', note: 'each run by itself' },
      { step: `delays of ${delays} s`, runs, sawTest: 'no' },
      { step: 'weights', runs, sawTest: 'no' },
      { step: 'imported betas', runs: [], sawTest: 'unknown' },
    ],
  };
}

describe('the ledger', () => {
  it('merges steps of the folds that differ in numbers alone, and tells apart what differs', () => {
    const folds = [foldOf('a', 0, '4'), foldOf('b', 2, '6.6'), foldOf('c', 4, '4, 5.3')];
    expect(mergedLedger(folds, study)).toEqual([
      { step: 'drift', runs: 'all 3 runs', sawTest: 'yes', note: 'each run by itself', folds: 'all 3' },
      expect.objectContaining({ step: 'delays of 4 to 6.6 s', folds: 'run a and run b' }),
      expect.objectContaining({ step: 'weights', runs: 'the training runs: all but those held out' }),
      expect.objectContaining({ step: 'imported betas', runs: 'not stated', sawTest: 'unknown' }),
      expect.objectContaining({ step: 'delays of 4, 5.3 s', folds: 'run c' }),
    ]);
  });

  it('does not call a leak what each run had done to it by itself', () => {
    const drift = { step: 'drift', runs: ['a', 'b', 'c'], sawTest: 'yes' as const };
    const voxels = Float32Array.from({ length: 100 }, (_, i) => i % 7);
    const series = {
      rows: 'volumes',
      continuous: true,
      tr: 2,
      repairs: [],
      trials: [],
      voxels: { data: voxels, shape: [50, 2] },
    };
    const prepared = prepareStudy(
      { ...series, runs: [{ name: 'a', start: 0, end: 50 }] } as unknown as Study,
      [{ name: 'detrend', settings: { cutoffSeconds: 40 } }],
    );
    const own = prepared.ledger[0]!;
    expect(own.sawTest).toBe('yes');
    expect(sawTestInWords(own)).toBe('its own run only, without labels');
    expect(sawTestInWords(drift)).toBe('yes');
    const rows = (ledger: FoldRecord['ledger']) => {
      const folds = [{ ...foldOf('a', 0, '4'), ledger }];
      return String(ledgerSection.body({ folds, study, results: {} } as unknown as ReportData).text);
    };
    const clean = rows([own, { ...drift, step: 'weights', sawTest: 'no' }]);
    expect(clean).toContain('0 of 2 steps passed anything from test to training data.');
    expect(clean).not.toContain('saw-yes');
    const leaky = rows([own, drift, { ...drift, step: 'betas', sawTest: 'unknown' }]);
    expect(leaky).toContain('1 of 3 steps passed anything from test to training data; of 1 it is unknown.');
    expect(leaky).toContain('class="saw-yes"');
  });

  it('does not call runs "training runs" that a step went beyond', () => {
    const [fold] = [foldOf('a', 0, '4')];
    const leaky = { ...fold!, ledger: [{ step: 'z', runs: ['a', 'c'], sawTest: 'yes' as const }] };
    expect(mergedLedger([leaky], study)[0]!.runs).toBe('a and c');
  });
});

describe('what a decoder reads', () => {
  it('is voxels, and their values where they are read at several delays', () => {
    const sampled = (delays: number[]) => [
      { name: 'detrend', settings: {} },
      { name: 'sample', settings: { delays } },
    ];
    expect(rowInWords({ voxels: 800 })).toBe('800 voxels');
    expect(rowInWords({ voxels: 1 })).toBe('1 voxel');
    expect(rowInWords({ voxels: 200, preprocess: sampled([5]) })).toBe('200 voxels');
    expect(rowInWords({ voxels: 800, preprocess: sampled([3.5, 5, 6.5, 8]) })).toBe(
      '200 voxels at 4 delays (800 values a row)',
    );
  });
});

/** Receptive fields on a grid, larger outside. */
function maps(exponent: boolean): NonNullable<FoldRecord['maps']> {
  const random = createRandom(3);
  const n = 60;
  const x = Float32Array.from({ length: n }, () => 6 * random.normal());
  const y = Float32Array.from({ length: n }, () => 3 * random.normal());
  return {
    fields: {
      unit: 'degrees',
      extent: { left: -9, right: 9, top: 5, bottom: -5 },
      voxel: Int32Array.from({ length: n }, (_, i) => 3 * i),
      x,
      y,
      size: x.map((value, i) => 0.5 + 0.2 * Math.hypot(value, y[i]!)),
      amplitude: x.map(() => 1 + random.uniform()),
      correlation: x.map(() => 0.5 + 0.4 * random.uniform()),
      ...(exponent && { exponent: x.map(() => 0.5) }),
    },
    hrf: {
      times: Float32Array.from({ length: 50 }, (_, i) => i / 2),
      values: Float32Array.from({ length: 50 }, (_, i) => (i / 2) ** 5 * Math.exp(-i / 2)),
    },
  };
}

describe('receptive fields', () => {
  it('come back from their table, by fold', () => {
    const folds: FoldRecord[] = [
      { ...foldOf('a', 0, '4'), maps: maps(true) },
      { ...foldOf('b', 2, '4'), maps: undefined },
      { ...foldOf('c', 4, '4'), maps: maps(false) },
    ];
    const json = folds.map((fold) => foldSchema.parse(JSON.parse(JSON.stringify(foldToJson(fold)))));
    const back = readFieldsTable(fieldsTable(folds)!, 'receptive-fields.tsv', json);
    expect(back[0]).toEqual(folds[0]!.maps!.fields);
    expect(back[1]).toBeUndefined();
    expect(back[2]).toEqual(folds[2]!.maps!.fields);
    expect(fieldsTable([folds[1]!])).toBeUndefined();
  });

  it('are refused where a line is damaged, by its number', () => {
    const folds = [{ ...foldOf('a', 0, '4'), maps: maps(false) }];
    const lines = fieldsTable(folds)!.split('\n');
    const json = folds.map(foldToJson);
    lines[3] = lines[3]!.replace('\t', '\tx');
    expect(() => readFieldsTable(lines.join('\n'), 'fields.tsv', json)).toThrow(/fields\.tsv.*line 4.*"x/);
    const header = lines[0]!.replace('size', 'sigma');
    expect(() => readFieldsTable(header, 'fields.tsv', json)).toThrow(/expected size/);
  });

  it('are drawn where they lie', async () => {
    const figures = await drawFields({ folds: [{ ...foldOf('a', 0, '4'), maps: maps(false) }] });
    expect(figures.map(({ name }) => name)).toEqual(['receptive-fields', 'size-eccentricity', 'fit', 'hrf']);
    const [map, , , hrf] = figures;
    // A circle and a dot for each voxel, clipped to the pictures' edges.
    expect(map!.svg.match(/<path[^>]*transform="translate\(/g)!.length).toBeGreaterThanOrEqual(120);
    expect(map!.svg).toContain('clipPath');
    expect(hrf!.description).toMatch(/peaks 5 s after/);
    expect(hrf!.svg).toContain('peak at 5.0 s');
  });
});

describe('the methods of a published model', () => {
  const provenance = { decoder: 'mindeye2' };
  const run = { stage: 'prior', precision: 'as stored', repeats: 'published', seed: 3, noise: 'none' };
  const outputs = ['prior', 'retrieval'].map((name) => ({ name, file: `${name}.npy`, shape: [4, 24] }));
  const alignment = {
    targets: 'latents',
    teachers: [{ subject: 1 }, { subject: 3 }],
    trials: { used: 150, all: 190, stimuli: 150 },
    alpha: { smallest: 15, largest: 15 },
  };
  const sentences = (fold: object | undefined, results: object) =>
    publishedModelSentences(results as never, fold as never, new Citations())?.join(' ');

  it('state stage, precision, repeats, noise, outputs and alignment', () => {
    const fold = { config: { dtype: 'bf16' }, report: { alignment } };
    expect(sentences(fold, { provenance, run, outputs })).toBe(
      'Features of the stimuli were decoded by converted weights of MindEye2 (Scotti et al., 2024), run up to samples of its diffusion prior, with weights as they are stored (bf16). The first three presentations of a stimulus were averaged, as in the published evaluation. The noise of the prior was drawn from seed 3. Its outputs were prior (4 × 24) and retrieval (4 × 24). Of this model, the layer that reads the voxels of the subject was fitted anew by ridge regression (Hoerl & Kennard, 1970) to its latents on 150 trials of 150 stimuli, with penalty 15, subjects 1 and 3 of the model being the teachers; all other weights are the published ones.',
    );
  });

  it('claim nothing that is not recorded', () => {
    expect(sentences(undefined, { provenance })).toBe(
      'Features of the stimuli were decoded by converted weights of MindEye2 (Scotti et al., 2024).',
    );
    expect(sentences(undefined, { provenance: { decoder: 'ridge' } })).toBeUndefined();
  });
});

describe('the methods of a recipe', () => {
  const head = {
    name: 'text',
    what: 'CLIP text',
    shape: [77, 768],
    design: 0,
    renormalise: 'none',
    unitTargets: false,
  };
  const design = { roi: 'streams:early+ventral', voxels: 300, rows: 200, average: 'none', intercept: false };
  const config = {
    recipe: 'takagi',
    normalisation: 'brain-diffuser',
    designs: [{ ...design, unitVoxels: false }],
    heads: [head],
  };
  const sentences = (report: object, citations = new Citations()) =>
    recipeSentences(
      { array: 'text', provenance: { decoder: 'ridge-heads' } } as never,
      { config, report } as never,
      citations,
    )!.join(' ');

  it('say in the terms of papers what was fitted, with what it came to', () => {
    const alpha = { chosen: { '1': 3 }, score: 0.1 };
    const penalties = {
      text: {
        grid: [1, 0.01, 10],
        folds: { count: 5, together: false },
        score: 'negativeSquaredError',
        perTarget: true,
      },
    };
    expect(sentences({ heads: [{ name: 'text', alpha }], penalties })).toBe(
      'Each voxel was z-scored by its mean and standard deviation over the training rows (divisor n − 1). Features of the pictures (CLIP text; 77 × 768 values) were predicted by ridge regression (Hoerl & Kennard, 1970) without an intercept, following Takagi and Nishimoto (Takagi & Nishimoto, 2023), fitted on 200 training rows (single trials) of 300 voxels (ROIs early and ventral of the atlas streams). The penalty, of each value by itself, was chosen from 3 candidates from 0.01 to 10 by 5-fold cross-validation inside the training rows (blocks of successive rows; by negative squared error).',
    );
    expect(sentences({ heads: [{ name: 'text', alpha }] })).toMatch(
      /Penalties were chosen by cross-validation inside the training rows\.$/,
    );
    expect(sentences({ heads: [{ name: 'text', alpha: 6e4 }] })).toMatch(
      /The penalty was set to 60000 for all values, not chosen\.$/,
    );
  });

  it('tell bands, how their weights were chosen and what these are', () => {
    const bands = [
      { name: 'V1', voxels: 240, weight: 1.99995 },
      { name: 'FFA', voxels: 60, weight: 5e-5 },
    ];
    const found = {
      bands,
      candidates: 100,
      score: 'r2',
      chosen: 0.0494,
      plain: -0.0005,
      values: 2048,
      of: 59136,
    };
    const citations = new Citations();
    const text = sentences({ heads: [{ name: 'text', alpha: 1 }], headBands: { text: found } }, citations);
    expect(text).toContain(
      'Voxels were grouped into 2 bands, each with a penalty of its own: V1 (240 voxels) and FFA (60 voxels). This is banded ridge regression (Nunez-Elizalde et al., 2019; Dupré la Tour et al., 2022).',
    );
    expect(text).toContain(
      'over 100 candidates, equal weights (ridge regression without bands) among them, by cross-validation inside the training rows: the mean explained variance over 2048 of the 59136 values was 0.0494, that of equal weights −0.0005.',
    );
    expect(text).toContain('The chosen weights were V1 2 and FFA below 0.001.');
    expect(citations.used.map(({ key }) => key)).toContain('dupre');
    const other = { other: found };
    expect(sentences({ heads: [{ name: 'text', alpha: 1 }], headBands: other })).not.toContain('band');
  });

  it.each(Object.keys(NORMALISATIONS))('have no name of ours for the normalisation %s', (name) => {
    expect(normalisationSentence(name, new Citations())).not.toMatch(/[“"]|mindeye2|takagi|-train/);
  });

  it.each(SPLIT_NAMES)('have no name of ours for the split %s', (name) => {
    expect(splitInWords(name, new Citations())).not.toMatch(/[“"]|-test|brain-d/);
  });
});

/** Pieces of text of a drawn plot, line by line. */
const texts = (svg: string) => [...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, text]) => text!);

describe('what takes no brain', () => {
  it.each([
    [0.5, '0.5'],
    [1 / 300, '0.0033'],
    [1 / 60, '0.017'],
    [0, 'none'],
  ])('chance %f is told as %s', (chance, words) => {
    expect(chanceInWords(chance)).toBe(words);
  });

  it('has no constant where all answers tie, and lines where plots have theirs', () => {
    const metric = { chance: 0.1, meanPicture: 0 } as never;
    const other = { chance: 0.1, meanPicture: 0.1 } as never;
    const evaluation = { retrieval: { imageToBrain: metric, brainToImage: other } } as never;
    expect(constantOf(metric, evaluation)).toBeUndefined();
    expect(constantOf(other, evaluation)).toBe(0.1);
    expect(baselineOf(other)).toEqual({ at: 0.1, text: 'chance' });
    expect(baselineOf({ chance: 0, meanPicture: 0.79 } as never)).toEqual({ at: 0.79, text: 'constant' });
    expect(baselineOf({ chance: 0 } as never)).toEqual({ at: 0, text: 'unrelated' });
  });
});

describe('plots', () => {
  const metric = {
    score: 0.9,
    interval: [0.85, 0.95],
    chance: 0.5,
    meanPicture: 0.5,
    nearestTraining: 0.8,
    bestTraining: 0.97,
    shuffled: { mean: 0.501, p95: 0.6 },
    p: 0.001,
    perTrial: [],
  };
  const data = {
    evaluation: { twoWay: metric, frameCorrelation: metric, permutation: {} },
    made: { decoder: 'ridge' },
    results: { kind: 'picture' },
  };

  it('are the same each time, each with ids of its own', async () => {
    const once = await drawScores(data as never);
    const again = await drawScores(data as never);
    expect(again.map(({ svg }) => svg)).toEqual(once.map(({ svg }) => svg));
    const clipped = { mark: { type: 'point', clip: true }, data: { values: [{ a: 1 }] } };
    const [one, two] = [await draw('one', 'One', clipped), await draw('two', 'Two', clipped)];
    expect(one.svg).toContain('id="one-1"');
    expect(one.svg).toContain('url(#one-1)');
    expect(two.svg).not.toContain('one-1');
  });

  it('say in words what they show, and carry no scripts, styles or roles of parts', async () => {
    const [{ svg, inline, description }] = (await drawScores(data as never)) as [never];
    expect(description).toMatch(
      /ridge 0\.900, nearest training 0\.800, constant prediction 0\.500, shuffled 0\.501/,
    );
    expect((svg as string).match(/role="/g)).toHaveLength(1);
    expect(svg).not.toMatch(/<script|style=|xlink|on[a-z]+=/);
    expect(String(inline)).not.toContain('fill="white"');
  });

  it('have the constant prediction where a correlation has no chance level', async () => {
    const correlation = { ...metric, chance: 0, meanPicture: 0.79 };
    const evaluation = { ...data.evaluation, frameCorrelation: correlation };
    const [identification, figure] = await drawScores({ ...data, evaluation } as never);
    expect(texts(identification!.svg)).toContain('chance');
    expect(texts(figure!.svg)).toContain('constant');
    expect(texts(figure!.svg)).not.toContain('chance');
    expect(figure!.description).toMatch(/constant prediction 0\.790, .*0\.970\.$/);
  });

  it('show names whole, however long', async () => {
    const head = 'a-head-that-has-as-many-letters-as-it-may';
    const results = { kind: 'features', array: head, rows: { recipe: 'custom' } };
    for (const { svg } of await drawScores({ ...data, results } as never)) {
      expect(texts(svg).join('')).toContain(`custom, ${head}`);
      expect(texts(svg).join('')).not.toContain('…');
    }
  });

  it('escape hostile names', async () => {
    const hostile = '<script>alert(1)</script>"';
    const { svg, inline } = await draw('x', hostile, {
      data: { values: [{ name: hostile, value: 1 }] },
      mark: 'bar',
      encoding: { y: { field: 'name', type: 'nominal' }, x: { field: 'value', type: 'quantitative' } },
    });
    expect(svg).toContain('&lt;script');
    expect(`${svg}${inline}`).not.toContain('<script');
  });
});

describe('BIDS', () => {
  it('describes a derivative', () => {
    const described = datasetDescription({ name: 'bars', dataTerms: 'MIT' } as Study, 'Scores');
    expect(described).toMatchObject({
      Name: 'Scores of bars',
      DatasetType: 'derivative',
      License: 'MIT',
      GeneratedBy: [{ Name: 'fmri2image' }],
      SourceDatasets: [{ Name: 'bars' }],
    });
  });

  it('asks for its name in folders of derivatives alone', () => {
    expect(derivativeNameNote('/data/derivatives/report')).toMatch(/fmri2image-report/);
    expect(derivativeNameNote('/data/derivatives/fMRI2image-v1')).toBeUndefined();
    expect(derivativeNameNote('/data/report')).toBeUndefined();
  });

  it('makes labels of names', () => {
    expect([subjectEntity('sub-01'), subjectEntity('P 7'), subjectEntity(undefined)]).toEqual([
      'sub-01',
      'sub-P7',
      undefined,
    ]);
    expect([label('beach scene-2.png'), label('../../etc'), label('...')]).toEqual([
      'beachscene2',
      'etc',
      'unnamed',
    ]);
  });
});
