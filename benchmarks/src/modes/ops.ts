import os from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@fmri2image/core';
import { CpuBackend } from '@fmri2image/node';
import { inWords, measureLimits } from '../limits.ts';
import { commit, deviceOf, version } from '../machine.ts';
import { markdownTable } from '../markdown.ts';
import { measureShape } from '../measure.ts';
import { measureOverhead, type Overhead } from '../overhead.ts';
import { startPeers } from '../peers.ts';
import { LEGEND, markdown, type Row } from '../row.ts';
import { label, readShapes } from '../shape.ts';
import { openWebGpu } from '../webgpu.ts';
import {
  cache,
  folder,
  type Mode,
  note,
  numberOf,
  type Options,
  peersFolder,
  record,
  threadCounts,
} from './mode.ts';

/** Single ops over the field's shapes, beside BLAS libraries, numpy and PyTorch. */
export const ops: Mode = async (options, names) => {
  const shapes = readShapes(join(folder, 'shapes'), names).filter((shape) =>
    label(shape).includes(options.only),
  );
  if (shapes.length === 0) throw new Error(`no shape has "${options.only}" in its extents`);
  const cores = os.availableParallelism();
  const rows: Row[] = [];
  for (const threads of threadCounts(options, cores > 1 ? [1, cores] : [1]))
    rows.push(...(await measureShapes(shapes, threads, options)));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const overheads = await measureOverheads();
  if (options.json)
    for (const overhead of overheads) console.log(JSON.stringify({ op: 'enqueue', ...overhead }));
  else console.log(`${markdown(rows)}\n\n${overheadTable(overheads)}\n\n${LEGEND}`);
  return rows.some((row) => row.passed === false) ? 1 : 0;
};

/** On so many threads; rows are recorded as they come. */
async function measureShapes(
  shapes: ReturnType<typeof readShapes>,
  threads: number,
  options: Options,
): Promise<Row[]> {
  const rows: Row[] = [];
  // Before anything is started: a mistake is told at once.
  const sampling = {
    seed: numberOf(options, 'seed'),
    samples: numberOf(options, 'samples', '10'),
    seconds: numberOf(options, 'seconds'),
  };
  const backend = new CpuBackend({ threads, isa: options.isa as 'auto' });
  const { peers, absent } = options.peers
    ? await startPeers(peersFolder, cache, threads)
    : { peers: [], absent: [] };
  try {
    if (absent.length > 0) note(`not on this machine: ${absent.join(', ')} (benchmarks/install-peers.sh)`);
    const limits = measureLimits(peersFolder, cache, threads);
    note(`${backend.info.description}; ${inWords(limits)}`);
    const session = {
      backend,
      peers,
      limits,
      threads,
      ...sampling,
      device: deviceOf(backend),
      commit: commit(),
      version: version(folder),
      note,
      progress: (line: string) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${line}`),
    };
    for (const shape of shapes) {
      const measured = await measureShape(shape, session);
      rows.push(...measured);
      if (options.json) for (const row of measured) console.log(JSON.stringify(row));
      record(options, measured);
    }
    return rows;
  } finally {
    for (const peer of peers) peer.stop();
    await backend.dispose();
  }
}

async function measureOverheads(): Promise<Overhead[]> {
  const overheads: Overhead[] = [];
  const backends = [new CpuBackend(), createReferenceBackend(), await openWebGpu()];
  for (const backend of backends) {
    if (typeof backend === 'string') {
      note(`enqueue overhead on WebGPU: ${backend}`);
      continue;
    }
    overheads.push(await measureOverhead(backend));
    await backend.dispose();
  }
  return overheads;
}

function overheadTable(overheads: readonly Overhead[]): string {
  return markdownTable(
    ['backend', 'device', 'enqueue us an op', 'whole us an op'],
    overheads.map((o) => [
      o.backend,
      o.description,
      o.enqueueMicroseconds.toFixed(1),
      o.perOpMicroseconds.toFixed(1),
    ]),
  );
}
