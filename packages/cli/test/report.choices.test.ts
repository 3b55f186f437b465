import { createReferenceBackend, RETINOTOPIC_DEFAULTS, RetinotopicDecoder } from '@fmri2image/core';
import { simulateBars } from '@fmri2image/core/conformance';
import { describe, expect, it } from 'vitest';
import { foldRecord } from '../src/pipeline/folds.ts';
import { choicesOf, comparedSettings } from '../src/report/choices.ts';
import { PENALTIES } from '../src/report/methods.ts';

describe('the choices of a retinotopic decoder', () => {
  it('are found where the decoder reports them, by the names that its configuration has', async () => {
    const backend = createReferenceBackend();
    const bars = simulateBars({ height: 6, width: 8, voxels: 30, noise: 0.6, seed: 7 });
    const decoder = await RetinotopicDecoder.fit(
      {
        voxels: { data: bars.betas, shape: [bars.runs.length, bars.voxels] },
        targets: { data: bars.frames, shape: [bars.runs.length, bars.height, bars.width] },
        // Each run is a recording of its own: whether their baselines differ is compared as well.
        runs: bars.runs,
        repetitionTime: bars.tr,
      },
      {
        hrf: 'canonical',
        noiseCorrelation: [0, 0.1],
        varianceShrinkage: [0.2, 0.5],
        ridge: [0.03, 0.3],
        smoothTime: [0.3, 3],
        smoothSpace: [1, 4],
        threshold: 0.2,
        refinements: 0,
        iterations: 3,
      },
      { backend },
    );
    const fold = foldRecord(decoder, {});
    decoder.dispose();
    await backend.dispose();
    const compared = comparedSettings(fold.report);
    const listed = ['noiseCorrelation', 'varianceShrinkage', 'ridge', 'smoothTime', 'smoothSpace'];
    expect(Object.keys(compared)).toEqual(expect.arrayContaining(listed));
    expect(Object.keys(PENALTIES)).toEqual(expect.arrayContaining(Object.keys(compared)));
    for (const [name, values] of Object.entries(compared)) expect(values, name).toContain(fold.config[name]);
    const { chosen, given } = choicesOf(fold);
    const names = [
      'noise correlation',
      'variance shrinkage',
      'ridge',
      'smooth time',
      'smooth space',
      'drift of a decoded block',
    ];
    for (const name of [...names, 'frame correlation in cross-validation']) {
      expect(chosen, name).toHaveProperty(name, expect.any(String));
    }
    for (const name of names) expect(given).not.toHaveProperty(name);
    expect(chosen['drift of a decoded block']).toMatch(/^none$|^polynomial of degree 0$/);
    // Whatever is a list by default can be chosen.
    const lists = Object.entries(RETINOTOPIC_DEFAULTS).flatMap(([name, value]) =>
      Array.isArray(value) ? [name] : [],
    );
    expect(Object.keys(PENALTIES)).toEqual(expect.arrayContaining(lists));
  });
});
