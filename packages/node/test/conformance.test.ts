import { formatReport, KnownCases, runConformance } from '@fmri2image/core/conformance';
import { describe, expect, it } from 'vitest';
import { CpuBackend } from '../src/index.ts';
import { ISAS } from '../src/native/addon.ts';
import { loadAddon } from '../src/native/load.ts';
import { unsupported } from './expectations.ts';

const best = loadAddon().bestIsa;
/** Six runs of the same cases. */
const known = new KnownCases();

describe.each(['portable', 'avx2', 'avx512'] as const)('conformance on %s', (isa) => {
  it.skipIf(ISAS.indexOf(isa) > best).each([1, 2])('with %d threads', async (threads) => {
    const backend = new CpuBackend({ isa, threads });
    expect(backend.info).toMatchObject({ device: 'cpu', isa, threads });
    const report = await runConformance(backend, { unsupported, known });
    await backend.dispose();
    if (report.failed > 0) expect.fail(formatReport(report));
    expect(report.passed).toBeGreaterThan(400);
  });
});
