import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BenchShape } from './shape.ts';

/** Another implementation in a process of its own, answering one line for every command. */
export class Peer {
  readonly name: string;
  version = '';
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** Undefined when it does not start here. */
  static async start(
    name: string,
    command: string,
    args: readonly string[],
    env: Record<string, string>,
  ): Promise<Peer | undefined> {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.on('error', () => {});
    const peer = new Peer(name, child);
    const hello = await peer.#lines.next();
    if (hello.done) return undefined;
    peer.version = hello.value;
    return peer;
  }

  /** One command, one line of answer; `unsupported` when the process has ended. */
  async ask(line: string): Promise<string> {
    this.#child.stdin!.write(`${line}\n`);
    const answer = await this.#lines.next();
    return answer.done ? 'unsupported' : answer.value;
  }

  /** False when the peer has no such op. */
  async prepare({ op, dtype, extents, options }: BenchShape): Promise<boolean> {
    const words = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    return (await this.ask(['prepare', op, dtype, ...Object.values(extents), ...words].join(' '))) === 'ok';
  }

  /** Seconds of one call, as the peer's own clock saw it. */
  async run(): Promise<number> {
    return Number(await this.ask('run'));
  }

  stop(): void {
    this.#child.stdin!.end('quit\n');
  }
}

const LIBRARY_FOLDERS = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/local/lib',
];

/** Finds a shared library in the usual folders and one level below them. */
function findLibrary(pattern: RegExp): string | undefined {
  for (const folder of LIBRARY_FOLDERS) {
    if (!existsSync(folder)) continue;
    const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const place of [folder, ...below.map((entry) => join(folder, entry.name))]) {
      const name = readdirSync(place).find((entry) => pattern.test(entry));
      if (name !== undefined) return join(place, name);
    }
  }
  return undefined;
}

/** OpenBLAS does not always pick its fastest kernels: each of these is a peer. */
const OPENBLAS_CORE_TYPES = ['', 'Zen', 'Haswell', 'SkylakeX', 'Cooperlake'];

/** Compiles one of the sources beside this package into the cache folder; its path, or undefined. */
export function compile(source: string, cache: string, flags: readonly string[]): string | undefined {
  mkdirSync(cache, { recursive: true });
  const out = join(
    cache,
    source
      .split('/')
      .at(-1)!
      .replace(/\.cpp$/, ''),
  );
  const { status } = spawnSync('c++', ['-std=c++17', ...flags, source, '-o', out, '-ldl', '-pthread']);
  return status === 0 ? out : undefined;
}

/** Starts every peer that this machine has, with the given number of threads; `absent` says which it lacks. */
export async function startPeers(
  sources: string,
  cache: string,
  threads: number,
): Promise<{ peers: Peer[]; absent: string[] }> {
  const env = threadVariables(threads);
  const blas = compile(join(sources, 'blas_peer.cpp'), cache, ['-O2']);
  const starts: [
    name: string,
    command: string | undefined,
    args: string[],
    extra?: Record<string, string>,
  ][] = [];
  const openblas = findLibrary(/^libopenblas\.so\.0$/);
  for (const core of OPENBLAS_CORE_TYPES) {
    const name = core ? `openblas-${core.toLowerCase()}` : 'openblas';
    const extra: Record<string, string> = core ? { OPENBLAS_CORETYPE: core } : {};
    starts.push([name, openblas && blas, [openblas ?? ''], extra]);
  }
  const blis = findLibrary(/^libblis\.so\.4$/);
  starts.push(['blis', blis && blas, [blis ?? '']]);
  const onednn = findLibrary(/^libdnnl\.so\.\d+$/);
  starts.push(['onednn', onednn && blas, [onednn ?? '']]);
  starts.push(['numpy', '/usr/bin/python3', [join(sources, 'numpy_peer.py')]]);
  starts.push(['torch', '/usr/bin/python3', [join(sources, 'torch_peer.py')]]);

  const peers: Peer[] = [];
  const absent: string[] = [];
  for (const [name, command, args, extra] of starts) {
    const peer = command && (await Peer.start(name, command, args, { ...env, ...extra }));
    if (peer) peers.push(peer);
    else absent.push(name);
  }
  return { peers, absent };
}

/** Python's ridge regressions; `F2I_PEERS` names a folder with packages that are not installed (himalaya). */
export async function startRidgePeer(sources: string, threads: number): Promise<Peer | undefined> {
  const path = [process.env.F2I_PEERS, process.env.PYTHONPATH].filter(Boolean).join(':');
  return Peer.start('ridge', '/usr/bin/python3', [join(sources, 'ridge_peer.py')], {
    ...threadVariables(threads),
    PYTHONPATH: path,
  });
}

/** What OpenBLAS, BLIS and OpenMP read their number of threads from. */
function threadVariables(threads: number): Record<string, string> {
  const count = String(threads);
  return { OPENBLAS_NUM_THREADS: count, BLIS_NUM_THREADS: count, OMP_NUM_THREADS: count };
}
