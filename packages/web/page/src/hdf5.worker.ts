import './strict.ts';
import { blobSource, errorToMessage, inspectFile, readArray } from '@fmri2image/core';
import type { Hdf5Answer, Hdf5Question } from './hdf5.ts';

// One question a worker: what the library took of memory ends with it.
addEventListener('message', async ({ data }: MessageEvent<Hdf5Question>) => {
  const source = blobSource(data.blob, data.name);
  let answer: Hdf5Answer;
  try {
    answer =
      data.array === undefined
        ? { arrays: (await inspectFile(source)).arrays }
        : { values: await readArray(source, { array: data.array }) };
  } catch (error) {
    answer = { error: errorToMessage(error) };
  }
  postMessage(answer, 'values' in answer ? { transfer: [answer.values.data.buffer as ArrayBuffer] } : {});
});
