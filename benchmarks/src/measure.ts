import type { Backend } from '@fmri2image/core';
import { type BenchCase, prepareCase } from './cases.ts';
import { floorOf, type Limits } from './limits.ts';
import type { Peer } from './peers.ts';
import type { Row } from './row.ts';
import { type BenchShape, label } from './shape.ts';
import { type Timing, timing } from './statistics.ts';

export interface Session {
  readonly backend: Backend;
  readonly peers: readonly Peer[];
  readonly limits: Limits | undefined;
  readonly threads: number;
  readonly seed: number;
  /** Samples of each implementation at most, and seconds for a shape at most. */
  readonly samples: number;
  readonly seconds: number;
  readonly device: string;
  readonly commit: string;
  readonly version: string;
  readonly progress: (line: string) => void;
  /** For lines that stay. */
  readonly note: (line: string) => void;
}

/** Threads of a library that still spin after a call would slow whoever is next. */
const REST_MILLISECONDS = 40;
const FLUSH = new Float64Array(8 << 20); // 64 MiB, twice the usual last-level cache

const rest = () => new Promise((resolve) => setTimeout(resolve, REST_MILLISECONDS));
const now = () => performance.now() / 1e3;

function flush(): void {
  for (let i = 0; i < FLUSH.length; i += 8) FLUSH[i]! += 1;
}

/**
 * Measures ours and the peers' at one shape: in every round each runs once with cold caches and once warm, in an
 * order that rotates, so that whatever else the machine does falls on all of them. Memory is there in both.
 */
export async function measureShape(shape: BenchShape, session: Session): Promise<Row[]> {
  const uploadStart = now();
  const ours = prepareCase(shape, session.backend, session.seed);
  if (ours.refusal !== undefined) {
    session.note(`${shape.op} ${label(shape)} ${shape.dtype}: ${ours.refusal}`);
    ours.dispose();
    return [];
  }
  await session.backend.sync();
  const uploadSeconds = now() - uploadStart;
  const error = await ours.check();
  const peers: Peer[] = [];
  for (const peer of session.peers) if (await peer.prepare(shape)) peers.push(peer);

  const runners = [
    { name: 'ours', run: () => runOurs(ours, session.backend) },
    ...peers.map((peer) => ({ name: peer.name, run: () => peer.run() })),
  ];
  for (const runner of runners) await runner.run(); // warm-up
  const cold = new Map(runners.map(({ name }) => [name, [] as number[]]));
  const warm = new Map(runners.map(({ name }) => [name, [] as number[]]));
  const deadline = now() + session.seconds;
  for (let round = 0; round < session.samples && (round < 5 || now() < deadline); round++) {
    for (let i = 0; i < runners.length; i++) {
      const { name, run } = runners[(i + round) % runners.length]!;
      // Not counted: pages of memory that went back to the system while the others ran, threads that sleep.
      await run();
      await rest();
      flush();
      cold.get(name)!.push(await run());
      warm.get(name)!.push(await run());
    }
    session.progress(`${shape.op} ${label(shape)} ${shape.dtype}: round ${round + 1}`);
  }
  ours.dispose();

  const floor = session.limits && floorOf(session.limits, shape.dtype, ours.flops, ours.bytes);
  const timings = new Map(runners.map(({ name }) => [name, timing(cold.get(name)!)]));
  const fastest = peers.toSorted((a, b) => timings.get(a.name)!.p50 - timings.get(b.name)!.p50)[0];
  const row = (name: string, version: string, coldTiming: Timing, isOurs: boolean): Row => ({
    op: shape.op,
    shape: { ...shape.extents, ...shape.options },
    dtype: shape.dtype,
    impl: name,
    version,
    backend: isOurs ? session.backend.name : 'cpu',
    threads: session.threads,
    cold: coldTiming,
    warm: timing(warm.get(name)!),
    gflops: ours.flops / coldTiming.p50 / 1e9,
    gbs: ours.bytes / coldTiming.p50 / 1e9,
    flopsPerByte: ours.flops / ours.bytes,
    rooflinePercent: floor && (100 * floor.seconds) / coldTiming.p50,
    rooflineBy: floor?.by,
    errorOverTolerance: isOurs ? error : undefined,
    passed: isOurs ? error <= 1 : undefined,
    ratio: isOurs && fastest ? timings.get(fastest.name)!.p50 / coldTiming.p50 : undefined,
    fastestPeer: isOurs ? fastest?.name : undefined,
    fastestPeerNoisePercent: isOurs && fastest ? timings.get(fastest.name)!.noisePercent : undefined,
    uploadSeconds: isOurs ? uploadSeconds : undefined,
    about: shape.about,
    device: session.device,
    commit: session.commit,
    date: new Date().toISOString(),
    seed: session.seed,
  });
  return [
    row('ours', session.version, timings.get('ours')!, true),
    ...peers.map((peer) => row(peer.name, peer.version, timings.get(peer.name)!, false)),
  ];
}

/** Seconds from the call of the op to the end of its work; outputs are freed outside. */
async function runOurs(ours: BenchCase, backend: Backend): Promise<number> {
  const start = now();
  const outputs = ours.run();
  await backend.sync();
  const seconds = now() - start;
  for (const output of outputs) output.dispose();
  return seconds;
}
