import { describe, expect, it } from 'vitest';
import { keptBundle, keptPictures, PICTURE_TOLERANCE } from '../conformance/index.ts';
import {
  createReferenceBackend,
  F2iError,
  type Folder,
  filesFolder,
  type LoadProgress,
  loadLocally,
  memoryFolder,
  type Rows,
} from '../src/index.ts';

const kept = 'ridge_v1';
const { betas, pictures } = keptPictures(kept);
const size = pictures.length / betas.shape[0];
const load = (folder: Folder = keptBundle(kept), options: object = {}) =>
  loadLocally(folder, { openBackend: async () => createReferenceBackend(), ...options });

/** The same responses many times over: work for a while. */
function many(times: number): Rows {
  const data = new Float32Array(betas.data.length * times);
  for (let i = 0; i < times; i++) data.set(betas.data, i * betas.data.length);
  return { data, shape: [betas.shape[0] * times, betas.shape[1]] };
}

async function errorOf(promise: Promise<unknown>): Promise<F2iError> {
  const error = await promise.then(
    () => new Error('expected an error'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof F2iError)) throw error;
  return error;
}

/** What files in memory hold, changed on the way. */
async function altered(change: (name: string, bytes: Uint8Array) => Uint8Array | undefined) {
  const folder = keptBundle(kept);
  const files = new Map<string, Uint8Array>();
  for (const name of await folder.list()) {
    const source = await folder.open(name);
    const bytes = change(name, (await source.read(0, source.size)).slice());
    if (bytes) files.set(name, bytes);
  }
  return files;
}

describe('loadLocally', () => {
  it('says what it opened, and reconstructs', async () => {
    const decoder = await load();
    expect(decoder).toMatchObject({ kind: 'ridge', voxels: 20, backend: { name: 'reference' } });
    expect(decoder.model.contentHash).toMatch(/^[0-9a-f]{64}$/);
    const values = await decoder.predict(betas);
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - pictures[i]!)), 0);
    expect(worst).toBeLessThan(PICTURE_TOLERANCE);
    const trials: number[] = [];
    for await (const { trial, image } of decoder.reconstruct(betas, { trials: [4, 1] })) {
      trials.push(trial);
      expect(image!.data).toEqual(values.slice(trial * size, (trial + 1) * size));
    }
    expect(trials).toEqual([4, 1]);
    await decoder.dispose();
  });

  it('reports each byte once, phase after phase', async () => {
    const events: LoadProgress[] = [];
    const decoder = await load(undefined, { onProgress: (event: LoadProgress) => events.push(event) });
    await decoder.dispose();
    const phases = events.map(({ phase }) => phase);
    expect([...new Set(phases)]).toEqual(['read', 'verify', 'upload']);
    for (const phase of ['read', 'verify', 'upload'] as const) {
      const own = events.filter((event) => event.phase === phase);
      expect(own.at(-1)!.done).toBe(own.at(-1)!.total);
      expect(own.map(({ done }) => done)).toEqual(own.map(({ done }) => done).sort((a, b) => a - b));
    }
  });

  it('uploads before it returns: what does not fit is found out at once', async () => {
    const decoder = await load();
    expect((await decoder.stats()).liveTensors).toBeGreaterThan(0);
    await decoder.dispose();
    const small = { openBackend: async () => createReferenceBackend({ memoryLimit: 1000 }) };
    const error = await errorOf(load(undefined, small));
    expect(error.code).toBe('OUT_OF_MEMORY');
    expect(error.message).toMatch(/expected at most \d+ bytes \(of 1000\), found \d+ bytes/);
  });

  it('refuses damaged files, and leaves no device open', async () => {
    const backends: ReturnType<typeof createReferenceBackend>[] = [];
    const openBackend = async () => {
      const backend = createReferenceBackend();
      backends.push(backend);
      return backend;
    };
    const cut = await altered((name, bytes) => (name.endsWith('.json') ? bytes : bytes.subarray(0, -7)));
    const truncated = await errorOf(load(memoryFolder(cut, 'b'), { openBackend }));
    expect(truncated).toMatchObject({ code: 'FORMAT', file: 'b/weights.safetensors' });
    expect(truncated.message).toMatch(/does not have the size .* expected \d+ bytes, found \d+/);
    const flipped = await altered((name, bytes) => {
      if (!name.endsWith('.json')) bytes[bytes.length - 3]! ^= 16;
      return bytes;
    });
    const damaged = await errorOf(load(memoryFolder(flipped, 'b'), { openBackend }));
    expect(damaged).toMatchObject({ code: 'FORMAT', file: 'b/weights.safetensors' });
    expect(damaged.message).toMatch(/checksum differs/);
    expect(backends.length).toBe(2);
    for (const backend of backends) expect(backend.disposed).toBe(true);
  });

  it('can be cancelled before and while it reads', async () => {
    expect((await errorOf(load(undefined, { signal: AbortSignal.abort('why') }))).cause).toBe('why');
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const error = await errorOf(load(undefined, { signal: controller.signal, onProgress }));
    expect(error).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
  });

  it('shares a backend that it was given', async () => {
    const backend = createReferenceBackend();
    const other = backend.tensor([1, 2], [2]);
    const first = await load(undefined, { backend });
    const second = await load(keptBundle('ridge_dual_v1'), { backend });
    await first.predict(betas);
    await first.dispose();
    expect(await second.predict(keptPictures('ridge_dual_v1').betas)).toBeInstanceOf(Float32Array);
    await second.dispose();
    expect(backend.disposed).toBe(false);
    expect(backend.liveTensors()).toEqual([other]);
    await backend.dispose();
  });
});

describe('a loaded decoder', () => {
  it('frees what a loop that is left had under way', async () => {
    const decoder = await load();
    const before = (await decoder.stats()).liveTensors;
    for await (const { trial } of decoder.reconstruct(many(10))) if (trial === 3) break;
    expect((await decoder.stats()).liveTensors).toBe(before);
    await decoder.dispose();
  });

  it('ends within a tile of an abort, and frees', async () => {
    const decoder = await load();
    const before = (await decoder.stats()).liveTensors;
    const controller = new AbortController();
    let seen = 0;
    const loop = (async () => {
      for await (const _ of decoder.reconstruct(many(100), { signal: controller.signal })) {
        if (++seen === 40) controller.abort('enough');
      }
    })();
    const error = await errorOf(loop);
    expect(error).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    expect(seen).toBe(40);
    const second = new AbortController();
    const predicted = errorOf(decoder.predict(many(500), { signal: second.signal }));
    second.abort();
    expect((await predicted).code).toBe('CANCELLED');
    expect((await decoder.stats()).liveTensors).toBe(before);
    await decoder.dispose();
  });

  it('ends pending work with DISPOSED, however far it is', async () => {
    const decoder = await load();
    const prediction = errorOf(decoder.predict(many(1000)));
    const running = decoder.reconstruct(many(1000));
    const waiting = decoder.reconstruct(betas);
    await waiting.next();
    const next = errorOf(running.next());
    await decoder.dispose();
    for (const error of [
      await prediction,
      await next,
      await errorOf(waiting.next()),
      await errorOf(decoder.predict(betas)),
      await errorOf(decoder.reconstruct(betas).next()),
      await errorOf(decoder.stats()),
    ]) {
      expect(error.code).toBe('DISPOSED');
    }
    await decoder.dispose();
    expect(await Promise.race([decoder.lost, Promise.resolve('not lost')])).toBe('not lost');
  });

  it('is disposed by `await using`', async () => {
    const backend = createReferenceBackend();
    const decoder = await load(undefined, { openBackend: async () => backend });
    await decoder[Symbol.asyncDispose]();
    expect(backend.disposed).toBe(true);
  });
});

describe('filesFolder', () => {
  const blob = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]);

  it('finds the files of a folder that was picked, whatever is beside them', async () => {
    const files = await altered((_, bytes) => bytes);
    const picked = [...files].map(([name, bytes]) =>
      Object.assign(blob(bytes), { name, webkitRelativePath: `study/sub-01.bundle/${name}` }),
    );
    const extra = Object.assign(blob(new Uint8Array(3)), { name: '.DS_Store' });
    const decoder = await load(filesFolder([extra, ...picked]));
    expect(decoder.kind).toBe('ridge');
    await decoder.dispose();
  });

  it('takes names with bytes', async () => {
    const decoder = await load(filesFolder(await altered((_, bytes) => bytes)));
    await decoder.dispose();
  });

  it('says which file is missing, and what it found', () => {
    const error = (files: Parameters<typeof filesFolder>[0]) => {
      try {
        filesFolder(files);
      } catch (reason) {
        return reason as F2iError;
      }
      throw new Error('expected an error');
    };
    const one = error([['sub/model.json', new Uint8Array(2)]]);
    expect(one).toMatchObject({ code: 'IO', found: 'sub/model.json' });
    expect(one.message).toMatch(/^the chosen files: no weights\.safetensors; expected/);
    expect(error([]).message).toMatch(/no model\.json and no weights\.safetensors.*found no files/);
    const twice = error([
      ['a/model.json', new Uint8Array(2)],
      ['b/model.json', new Uint8Array(2)],
    ]);
    expect(twice).toMatchObject({ code: 'INVALID_ARGUMENT', found: 'a/model.json and b/model.json' });
    expect(error([3 as never]).message).toMatch(/source\[0\]: not a file/);
  });
});

describe('what plain JavaScript may get wrong', () => {
  const wrong: [unknown, string][] = [
    [new Float32Array(20), 'Float32Array'],
    [[1, 2], 'Array'],
    [undefined, 'undefined'],
    [{ data: [1, 2], shape: [1, 2] }, '{ data: Array, shape: Array }'],
    [{ data: new Float32Array(2), shape: 2 }, '{ data: Float32Array, shape: number }'],
  ];
  it.each(wrong)('betas %#', async (rows, found) => {
    const decoder = await load();
    const expected = { code: 'INVALID_ARGUMENT', field: 'betas', found };
    expect(await errorOf(decoder.predict(rows as Rows))).toMatchObject(expected);
    expect(await errorOf(decoder.reconstruct(rows as Rows).next())).toMatchObject({
      ...expected,
      expected: '{ data: Float32Array, shape: [trials, voxels] }',
    });
    await decoder.dispose();
  });

  it('names of options', async () => {
    const decoder = await load();
    const misspelt = { trails: [1] } as object;
    expect(await errorOf(decoder.reconstruct(betas, misspelt).next())).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'trails',
      expected: 'runs, signal, trials, repeats, seed, noise',
    });
    expect(await errorOf(decoder.predict(betas, { trials: [1] } as object))).toMatchObject({
      field: 'trials',
    });
    await decoder.dispose();
  });
});
