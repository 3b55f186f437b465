import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bytesSource, encodeTar, readAll, type Source, tarEntries } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

const files: [string, Uint8Array][] = [
  ['000.behav.npy', Uint8Array.from({ length: 700 }, (_, i) => i)],
  ['000.empty', new Uint8Array(0)],
  ['001.behav.npy', new Uint8Array(512).fill(7)],
];
const archive = encodeTar(files);
const python = spawnSync('python3', ['-c', ''], { timeout: 300_000 }).status === 0;

async function list(source: Source): Promise<[string, Uint8Array][]> {
  const found: [string, Uint8Array][] = [];
  for await (const { name, content } of tarEntries(source)) found.push([name, await readAll(content)]);
  return found;
}
const read = (bytes: Uint8Array) => list(bytesSource(bytes, 'x.tar'));

describe('tar', () => {
  it('gives back what was put in', async () => {
    expect(await read(archive)).toEqual(files);
  });

  it.skipIf(!python)(
    'reads what Python writes: ustar, GNU and pax, long names, folders (skipped without python3)',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'f2i-tar-'));
      const script = [
        'import io, sys, tarfile',
        'for form in ("USTAR", "GNU", "PAX"):',
        '    with tarfile.open(f"{sys.argv[1]}/{form}.tar", "w", format=getattr(tarfile, form + "_FORMAT")) as t:',
        '        d = tarfile.TarInfo("wds"); d.type = tarfile.DIRTYPE; t.addfile(d)',
        '        for name, data in (("wds/" + "n" * 90 + "/x" * 20, b"a" * 1000), ("wds/é.npy", b"b")):',
        '            i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))',
      ].join('\n');
      const made = spawnSync('python3', ['-c', script, folder], { timeout: 300_000 });
      expect(made.stderr.toString()).toBe('');
      for (const form of ['USTAR', 'GNU', 'PAX']) {
        const found = await read(readFileSync(join(folder, `${form}.tar`)));
        expect(
          found.map(([name, content]) => [name, content.length]),
          form,
        ).toEqual([
          [`wds/${'n'.repeat(90)}${'/x'.repeat(20)}`, 1000],
          ['wds/é.npy', 1],
        ]);
      }
      rmSync(folder, { recursive: true });
    },
  );

  it('refuses what is no archive, is damaged or cut off', async () => {
    const damaged = archive.slice();
    damaged[3] = 0x41;
    for (const [bytes, message] of [
      [new Uint8Array(1024).fill(0x61), /x\.tar: header at byte 0: not a tar archive/],
      [damaged, /the checksum of a header differs/],
      [archive.subarray(0, 900), /the archive ends within 000\.behav\.npy; expected 700 bytes, found 388/],
      [archive.subarray(0, 100), /the archive was cut off.*after nothing/],
      // Between files: nothing is broken, but samples are missing.
      [archive.subarray(0, 1536), /the archive was cut off.*after 000\.behav\.npy/],
      [archive.subarray(0, archive.length - 1024), /the archive was cut off.*after 001\.behav\.npy/],
      [new Uint8Array(0), /cut off/],
    ] as const) {
      const error = await errorOf(read(bytes));
      expect(error).toMatchObject({ code: 'FORMAT', file: 'x.tar' });
      expect(String(error)).toMatch(message);
    }
  });
});
