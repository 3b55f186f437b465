import { describe, expect, it } from 'vitest';
import { formatReport, runConformance } from '../conformance/index.ts';
import { assertTelling } from '../conformance/telling.ts';
import { createReferenceBackend, ReferenceBackend } from '../src/index.ts';
import { referenceKernels } from '../src/reference/index.ts';
import { after, before, withKernel, withoutKernel } from './mutants.ts';

describe('the conformance runner', () => {
  it('passes the reference, in every case of every op', async () => {
    const backend = createReferenceBackend();
    const report = await runConformance(backend);
    expect(formatReport(report)).toBe(`${report.results.length} passed, 0 failed, 0 unsupported`);
    expect(report.results.length).toBeGreaterThan(700);
    expect(new Set(report.results.map(({ id }) => id)).size).toBe(report.results.length);
    await backend.dispose();
  });

  it('accepts a declared refusal, and neither a silent nor an unnecessary one', async () => {
    const backend = withoutKernel('eigh');
    const run = (unsupported: Record<string, string>) =>
      runConformance(backend, { filter: /^(eigh|top_k)\/f32/, unsupported });
    const silent = await run({});
    expect(silent.failed).toBeGreaterThan(5);
    expect(silent.results.every(({ id, status }) => status === 'passed' || id.startsWith('eigh'))).toBe(true);
    const honest = await run({ eigh: 'no eigensolver here' });
    expect([honest.failed, honest.unsupported]).toEqual([0, silent.failed]);
    expect(honest.results.find(({ status }) => status === 'unsupported')!.message).toBe(
      'no eigensolver here',
    );
    const outdated = await run({ eigh: 'no eigensolver here', 'top_k/f32/a*': 'not written yet' });
    expect(outdated.failed).toBeGreaterThan(3);
    expect(formatReport(outdated)).toMatch(/does not refuse, yet declares: not written yet/);
    await backend.dispose();
  });

  it('does not take a wrong result for a declared refusal', async () => {
    const backend = withKernel(
      'gram',
      after('gram', (y) => y.fill(NaN)),
    );
    const report = await runConformance(backend, {
      filter: /^gram\/f32\/wide/,
      unsupported: { gram: 'later' },
    });
    expect([report.failed, report.unsupported]).toEqual([2, 0]);
    await backend.dispose();
  });

  it('fails an op that writes to its operand', async () => {
    const backend = withKernel(
      'gram',
      before('gram', ([x]) => {
        x!.data[0] = 7;
        return {};
      }),
    );
    const report = await runConformance(backend, { filter: /^gram\/f32\/tall/ });
    expect(formatReport(report)).toMatch(/operand 0 was written to at element 0/);
    await backend.dispose();
  });

  it('fails an op that writes beside its operand', async () => {
    const backend = withKernel('gram', (inputs, outputs, attributes) => {
      referenceKernels.get('gram')!(inputs, outputs, attributes);
      const { buffer, byteOffset } = inputs[0]!.data;
      if (byteOffset > 0) new Float64Array(buffer)[0] = 7;
    });
    const report = await runConformance(backend, { filter: /^gram\/f32\/(tall|a view)/ });
    expect([report.passed, report.failed]).toEqual([2, 2]);
    await backend.dispose();
  });

  it('fails every case of a backend that never frees', async () => {
    class Hoarder extends ReferenceBackend {
      override release(): void {}
    }
    const backend = new Hoarder();
    const report = await runConformance(backend, { filter: /^gather\/f32\/rows|returns to the baseline/ });
    expect(report.passed).toBe(0);
    expect(formatReport(report)).toMatch(/leaks 0 tensors and \d+ bytes/);
    await backend.dispose();
  });

  it('refuses cases that say nothing', () => {
    const telling =
      (...data: number[]) =>
      () =>
        assertTelling({ data: Float64Array.from(data) });
    expect(telling(0, 0, 0, 1, 2)).toThrow(/vacuous case: 3 of 5 expected values are 0/);
    expect(telling(5, 5, 5, 5)).toThrow(/vacuous/);
    expect(telling(NaN, NaN, NaN, 1)).toThrow(/vacuous/);
    expect(telling(0)).toThrow(/vacuous/);
    expect(telling(0, 0, 1, 2)).not.toThrow();
    expect(telling(3)).not.toThrow();
    expect(telling()).not.toThrow();
  });
});
