import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, encodeNpy } from '@fmri2image/core';

export const LABELS = ['cat', 'face', 'house'];
const RUNS = 4;
const VOXELS = 12;
/** Volumes of a block of one label, and of rest before each. */
const BLOCK = 4;
const REST = 3;

/**
 * Writes a study of labelled volumes without pictures: in each run a block of every label, in random order, between rests.
 * Each label has a pattern of voxels of its own; voxels of runs differ in their level, runs in their gain, and drift.
 *
 * @returns labels of the volumes that are not rest
 */
export function writeLabelledStudy(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const random = createRandom(8);
  const patterns = random.normals(LABELS.length * VOXELS);
  const lines: string[] = [];
  const rows: number[] = [];
  for (let run = 1; run <= RUNS; run++) {
    const order = random.shuffle([0, 1, 2]);
    const level = random.normals(VOXELS);
    const volumes = [
      ...order.flatMap((label) => [...rest(), ...new Array<number>(BLOCK).fill(label)]),
      ...rest(),
    ];
    for (const [t, label] of volumes.entries()) {
      lines.push(`${LABELS[label] ?? 'rest'}\t${run}`);
      for (let v = 0; v < VOXELS; v++) {
        const response = label < 0 ? 0 : 1.5 * patterns[label * VOXELS + v]!;
        rows.push(1000 + 30 * level[v]! + run * (0.3 * t + response + random.normal()));
      }
    }
  }
  const data = Float32Array.from(rows);
  const shape = [lines.length, VOXELS];
  writeFileSync(join(folder, 'voxels.npy'), encodeNpy({ dtype: 'f32', data, shape }));
  writeFileSync(join(folder, 'volumes.tsv'), `label\trun\n${lines.join('\n')}\n`);
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: 'animals & houses',
    tr: 2.5,
    indexBase: 0,
    voxels: { file: 'voxels.npy', rows: 'volumes' },
    trials: { file: 'volumes.tsv', dropLabels: ['rest'] },
  };
  writeFileSync(join(folder, 'study.json'), JSON.stringify(manifest));
  return lines.map((line) => line.split('\t')[0]!).filter((label) => label !== 'rest');
}

const rest = () => new Array<number>(REST).fill(-1);
