import { describe, expect, it } from 'vitest';
import { encodeHdf5, encodeNpy, loadStudy, memoryFolder } from '../../src/index.ts';
import { CLASS, MatWriter } from './helpers/matlab_file.ts';

/** Four trials of three voxels, trials first. */
const data = Float32Array.from({ length: 12 }, (_, i) => Math.fround(Math.sin(3 * i)));
const numbers = { dtype: 'f32', shape: [4, 3], data } as const;
/** The same, as GIFTI has a series: an array a trial, a number a vertex. */
const gifti = `<GIFTI Version="1.0" NumberOfDataArrays="4">${[0, 1, 2, 3]
  .map(
    (
      trial,
    ) => `<DataArray Intent="NIFTI_INTENT_TIME_SERIES" DataType="NIFTI_TYPE_FLOAT32" Dimensionality="1" Dim0="3"
      ArrayIndexingOrder="RowMajorOrder" Encoding="ASCII"><Data>${[...data.subarray(3 * trial, 3 * trial + 3)].join(' ')}</Data></DataArray>`,
  )
  .join('')}</GIFTI>`;
const mat = new MatWriter();
/** MATLAB stores columns: these are voxels by trials. */
const turned = mat.matrix('betas', CLASS.single, 7, [3, 4], [...data]);

const hdf5 = await encodeHdf5({ betas: { array: numbers }, other: { array: numbers } });

describe('responses of a study', () => {
  it.each([
    ['betas.npy', encodeNpy(numbers), {}],
    ['betas.h5', hdf5, { array: 'betas' }],
    ['betas.mat', mat.file(mat.compressed(turned)), { array: 'betas', orientation: 'voxels-by-rows' }],
    ['betas.func.gii', new TextEncoder().encode(gifti), {}],
  ])('are the same from %s', async (file, bytes, options) => {
    const manifest = {
      format: 'fmri2image-study',
      version: 1,
      name: 'four trials',
      indexBase: 0,
      voxels: { file, rows: 'trials', ...options },
      trials: { file: 'trials.tsv', columns: { stimulus: 'n' } },
      stimuli: { file: 'features.npy', axes: ['stimulus', 'feature'], name: 'features' },
    };
    const text = new TextEncoder();
    const folder = memoryFolder(
      [
        ['study.json', text.encode(JSON.stringify(manifest))],
        [file, bytes],
        ['trials.tsv', text.encode('n\tsplit\trun\n0\ttrain\t1\n1\ttrain\t1\n2\ttest\t2\n3\ttest\t2\n')],
        ['features.npy', encodeNpy({ dtype: 'f32', shape: [4, 2], data: new Float32Array(8) })],
      ],
      'lab',
    );
    const study = await loadStudy(folder, 'study.json');
    expect(study.voxels.data).toEqual(data);
  });
});
