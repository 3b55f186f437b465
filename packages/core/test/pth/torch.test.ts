import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { bytesSource, decodeElements, type ElementType, elementCount, openPth } from '../../src/index.ts';

/** A Python with torch, from the PATH or where systems keep theirs. */
const interpreter = ['python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', 'import torch, numpy'], { timeout: 120_000 }).status === 0,
);

const TYPES: Record<string, ElementType> = {
  'torch.float64': 'f64',
  'torch.float32': 'f32',
  'torch.float16': 'f16',
  'torch.bfloat16': 'bf16',
  'torch.int64': 'i64',
  'torch.int32': 'i32',
  'torch.int16': 'i16',
  'torch.int8': 'i8',
  'torch.uint8': 'u8',
  'torch.bool': 'bool',
};

describe.skipIf(!interpreter)('what torch.save writes (skipped where no python3 has torch)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fmri2image-torch-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  const script = fileURLToPath(new URL('write_checkpoints.py', import.meta.url));
  const open = (name: string) => openPth(bytesSource(readFileSync(at(name)), name));

  it('is written', () => {
    const { status, stderr } = spawnSync(interpreter!, [script, folder], {
      encoding: 'utf8',
      timeout: 300_000,
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it.each(['checkpoint.pth', 'legacy.pth', 'protocol4.pth', 'views.pth', 'alone.pt', 'list.pt'])(
    '%s: every tensor, by name, type, shape and value',
    async (name) => {
      const opened = await open(name);
      const expected = JSON.parse(readFileSync(at(`${name}.json`), 'utf8')) as Record<
        string,
        { dtype: string; shape: number[]; file: string }
      >;
      const names = Object.keys(expected).map((key) => (key === '' ? 'tensor' : key));
      expect([...opened.entries.keys()]).toEqual(names);
      for (const [key, { dtype, shape, file }] of Object.entries(expected)) {
        const entry = opened.entries.get(key === '' ? 'tensor' : key)!;
        expect([entry.dtype, entry.shape], key).toEqual([TYPES[dtype], shape]);
        const data = decodeElements(readFileSync(at(file)), entry.dtype, file);
        const count = elementCount(shape)!;
        expect(await opened.readElements(entry.name, 0, count), key).toEqual(data);
        const [from, to] = [Math.floor(count / 3), Math.ceil((2 * count) / 3)];
        expect(await opened.readElements(entry.name, from, to), key).toEqual(data.slice(from, to));
      }
    },
  );

  it('tells the epoch beside the tensors', async () => {
    const { values } = await open('checkpoint.pth');
    expect(values.get('epoch')).toBe(3);
    expect(values.get('steps')).toBe(2 ** 40);
  });
});
