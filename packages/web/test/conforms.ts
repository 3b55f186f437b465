import { formatReport, KnownCases, runConformance } from '@fmri2image/core/conformance';
import { expect } from 'vitest';
import { createWebBackend, type KernelLimits } from '../src/index.ts';
import { unsupported } from './expectations.ts';

export interface Run {
  limits?: Partial<KernelLimits>;
  filter?: RegExp;
  /** Gaps besides those that are always there. */
  gaps?: Record<string, string>;
  /** How many cases must pass. */
  least: number;
}

/** Of the runs of one file. */
const known = new KnownCases();

export async function conforms({ limits = {}, filter, gaps = {}, least }: Run): Promise<void> {
  const backend = await createWebBackend({ limits });
  const report = await runConformance(backend, {
    filter,
    known,
    unsupported: { ...unsupported, ...gaps },
  });
  await backend.dispose();
  expect(report.failed, formatReport(report)).toBe(0);
  expect(report.passed).toBeGreaterThanOrEqual(least);
}
