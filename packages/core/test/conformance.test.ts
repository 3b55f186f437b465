import { describe, expect, it } from 'vitest';
import { formatReport, runConformance } from '../conformance/index.ts';
import { createReferenceBackend } from '../src/index.ts';
import { after, withKernel, withoutKernel } from './mutants.ts';

describe('the conformance runner', () => {
  it('passes the reference, in every case of every op', async () => {
    const backend = createReferenceBackend();
    const report = await runConformance(backend);
    expect(formatReport(report)).toBe(`${report.results.length} passed, 0 failed, 0 unsupported`);
    expect(report.results.length).toBeGreaterThan(700);
    expect(new Set(report.results.map(({ id }) => id)).size).toBe(report.results.length);
    await backend.dispose();
  }, 60_000);

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
});
