import { type BundleModel, F2iError } from '@fmri2image/core';
import { describe, expect, it } from 'vitest';
import { noticeOf, sentenceOf } from '../page/src/notice.ts';
import { estimateReference, REFERENCE_LIMIT_BYTES } from '../page/src/reference.ts';
import {
  canResume,
  canStart,
  type Event,
  initialState,
  mismatch,
  type PictureScore,
  reduce,
  remaining,
  type State,
  summary,
} from '../page/src/state.ts';

const model = (voxels: number, bytes = 100) =>
  ({
    kind: 'ridge',
    config: {},
    input: { voxels },
    files: { 'weights.safetensors': { bytes } },
    tensors: { weights: { shape: [5, 10] } },
  }) as unknown as BundleModel;
const bundle: Event = { type: 'bundle', bundle: { name: 'b', model: model(5) } };
const output = { kind: 'features', shape: [2] } as const;
const decoder: Event = { type: 'decoder', decoder: { device: 'WebGPU, x', output, warnings: [] } };
const responses = (voxels = 5): Event => ({
  type: 'responses',
  responses: {
    name: 'r.npy',
    voxels,
    trials: [0, 1, 2, 3],
    labels: ['a', 'b', 'c', 'd'],
    hasStimuli: false,
    simulated: false,
    notes: [],
  },
});
const start: Event = { type: 'start', trials: [0, 1, 2, 3] };
const picture = (run: number, trial: number, score?: PictureScore): Event => ({
  type: 'picture',
  run,
  picture: { trial, score },
});
const after = (...events: Event[]): State => events.reduce(reduce, initialState);
const loaded = [bundle, decoder, responses()];

describe('the page', () => {
  it('goes from nothing to pictures', () => {
    expect(after().phase).toBe('idle');
    expect(after(bundle, decoder).phase).toBe('idle');
    const ready = after(...loaded);
    expect(ready.phase).toBe('loaded');
    expect(canStart(ready)).toBe(true);
    const running = reduce(ready, start);
    expect(running).toMatchObject({ phase: 'running', wanted: [0, 1, 2, 3], pictures: [] });
    const { run } = running;
    const half = [picture(run, 0), picture(run, 1)].reduce(reduce, running);
    expect(remaining(half)).toEqual([2, 3]);
    const done = [picture(run, 2), picture(run, 3), { type: 'end', run, how: 'done' } as const].reduce(
      reduce,
      half,
    );
    expect(done.phase).toBe('done');
    expect(canStart(done)).toBe(true);
  });

  it('does not care which was opened first', () => {
    expect(after(responses(), bundle, decoder).phase).toBe('loaded');
  });

  it('starts nothing that cannot run', () => {
    const running = after(...loaded, start);
    for (const state of [
      after(),
      after(bundle, responses()),
      after(bundle, decoder, responses(6)),
      after(...loaded, { type: 'opening', opening: { what: 'bundle', name: 'x' } }),
      after(...loaded, { type: 'lost' }),
      running,
    ]) {
      expect(canStart(state)).toBe(false);
      expect(reduce(state, start)).toBe(state);
    }
    expect(mismatch(after(bundle, responses(6)))).toEqual({ expected: 5, found: 6 });
  });

  it('keeps what is done when it is cancelled, and starts again from nothing', () => {
    const running = after(...loaded, start);
    const cancelled = [
      picture(running.run, 0),
      { type: 'end', run: running.run, how: 'cancelled' } as const,
    ].reduce(reduce, running);
    expect(cancelled).toMatchObject({ phase: 'cancelled', pictures: [{ trial: 0 }] });
    expect(reduce(cancelled, start)).toMatchObject({ phase: 'running', pictures: [] });
  });

  it('continues what was cancelled, or failed, with the rows that are missing', () => {
    const running = after(...loaded, start);
    const { run } = running;
    for (const how of ['cancelled', 'failed'] as const) {
      const left = [picture(run, 0), { type: 'end', run, how } as const].reduce(reduce, running);
      expect(canResume(left)).toBe(true);
      const again = reduce(left, { type: 'resume' });
      expect(again).toMatchObject({ phase: 'running', pictures: [{ trial: 0 }] });
      expect(again.run).not.toBe(run);
      expect(remaining(again)).toEqual([1, 2, 3]);
      // Not while something else is being opened, nor for other responses.
      const opening: Event = { type: 'opening', opening: { what: 'bundle', name: 'x' } };
      expect(canResume(reduce(left, opening))).toBe(false);
      expect(canResume(reduce(left, responses()))).toBe(false);
    }
    const all = [0, 1, 2, 3].map((trial) => picture(run, trial)).reduce(reduce, running);
    for (const state of [running, after(...loaded), reduce(all, { type: 'end', run, how: 'cancelled' })]) {
      expect(canResume(state)).toBe(false);
      expect(reduce(state, { type: 'resume' })).toBe(state);
    }
  });

  it('ignores what comes from an earlier run', () => {
    const first = after(...loaded, start);
    const second = [{ type: 'end', run: first.run, how: 'cancelled' } as const, start].reduce(reduce, first);
    expect(second.run).toBeGreaterThan(first.run);
    expect(reduce(second, picture(first.run, 0)).pictures).toEqual([]);
    expect(reduce(second, { type: 'end', run: first.run, how: 'done' }).phase).toBe('running');
  });

  it('continues after a lost device with the rows that are missing', () => {
    const running = after(...loaded, start);
    const lost = [picture(running.run, 0), picture(running.run, 1), { type: 'lost' } as const].reduce(
      reduce,
      running,
    );
    expect(lost).toMatchObject({ phase: 'lost', decoder: undefined });
    // What the old run still sends is not of the new one.
    expect(reduce(lost, { type: 'end', run: running.run, how: 'failed' }).phase).toBe('lost');
    const again = [decoder, { type: 'resume' } as const].reduce(reduce, lost);
    expect(again.phase).toBe('running');
    expect(again.run).not.toBe(running.run);
    expect(remaining(again)).toEqual([2, 3]);
  });

  it('continues where nothing ran, or everything was done', () => {
    const resume = [decoder, { type: 'resume' } as const];
    expect([{ type: 'lost' } as const, ...resume].reduce(reduce, after(...loaded)).phase).toBe('loaded');
    expect([{ type: 'lost' } as const, ...resume].reduce(reduce, after(bundle, decoder)).phase).toBe('idle');
    // Responses that come meanwhile do not hide that the device is gone.
    const lost = after(bundle, decoder, { type: 'lost' }, responses());
    expect(lost.phase).toBe('lost');
    expect(resume.reduce(reduce, lost).phase).toBe('loaded');
    const running = after(...loaded, start);
    const done = [0, 1, 2, 3].map((trial) => picture(running.run, trial)).reduce(reduce, running);
    expect([{ type: 'lost' } as const, ...resume].reduce(reduce, done).phase).toBe('done');
  });

  it('forgets pictures of another bundle, and of other responses', () => {
    const running = after(...loaded, start);
    const some = reduce(running, picture(running.run, 0));
    for (const event of [bundle, responses()]) {
      expect(reduce(some, event)).toMatchObject({ phase: 'loaded', pictures: [], wanted: [] });
    }
    expect(reduce(some, { type: 'responses', responses: undefined }).phase).toBe('idle');
  });

  it('takes means of scores that are there', () => {
    const running = after(...loaded, start);
    expect(summary(reduce(running, picture(running.run, 0)))).toBeUndefined();
    const score = { correlation: 0.5, chance: 0.1, twoWay: 1, meanPicture: 0.2 };
    const other = { correlation: 0.1, chance: -0.1, twoWay: 0.5, meanPicture: undefined };
    const scored = [picture(running.run, 0, score), picture(running.run, 1, other)].reduce(reduce, running);
    const mean = summary(scored)!;
    expect(mean.correlation).toBeCloseTo(0.3, 12);
    expect(mean.chance).toBeCloseTo(0, 12);
    expect(mean.twoWay).toBe(0.75);
    expect(mean).toMatchObject({ scored: 2, meanPicture: undefined });
  });

  it('tells an error in parts', () => {
    const details = { file: 'betas.npy', field: 'shape', expected: '[n, 5]', found: '[4, 6]' };
    const notice = noticeOf('not opened', new F2iError('FORMAT', 'not a matrix', details));
    expect(notice).toMatchObject({ kind: 'error', message: 'not a matrix', ...details });
    const bare = noticeOf('not opened', new F2iError('IO', 'no such file', { found: 'nothing' }));
    expect(bare).toMatchObject({ message: 'no such file', found: 'nothing', file: undefined });
    expect(noticeOf('x', new TypeError('broken')).message).toBe('broken');
    expect(sentenceOf('not a matrix')).toBe('Not a matrix.');
    expect(sentenceOf('is this computer offline?')).toBe('Is this computer offline?');
    for (const name of ['voxels.npy: no such file in mine', 'data:mask.npy: gone', 'trial-1 has no run']) {
      expect(sentenceOf(name)).toBe(`${name}.`);
    }
  });

  it('estimates the reference backend, and refuses large bundles', () => {
    const small = estimateReference(model(5));
    expect(small.allowed).toBe(true);
    expect(small.secondsPerPicture).toBeLessThan(1e-3);
    expect(estimateReference(model(5, REFERENCE_LIMIT_BYTES + 1)).allowed).toBe(false);
    const other = { ...model(5), kind: 'retinotopic' } as BundleModel;
    expect(estimateReference(other).secondsPerPicture).toBeUndefined();
  });
});
