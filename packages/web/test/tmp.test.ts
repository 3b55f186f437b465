import { runConformance } from '@fmri2image/core/conformance';
import { it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { dawn } from './dawn.ts';

it('conf', async () => {
  const gpu = await dawn();
  if (typeof gpu === 'string') throw new Error(gpu);
  const backend = await createWebBackend({ gpu });
  const filter = process.env.FILTER ? new RegExp(process.env.FILTER) : undefined;
  let t = performance.now();
  const report = await runConformance(backend, { filter, unsupported: JSON.parse(process.env.UNS ?? '{}'), onResult: (r) => { const now = performance.now(); if (r.status === 'failed' || now - t > 1000) console.log(r.status, r.id, r.worst, r.message.slice(0, 600), (now - t) | 0); t = now; } });
  console.log(report.passed, report.failed, report.unsupported);
  await backend.dispose();
}, 600000);
