import {
  type ArrayDescription,
  type ErrorMessage,
  errorFromMessage,
  F2iError,
  type NdArray,
} from '@fmri2image/core';

/** A file of HDF5 or MATLAB: to list its arrays, or to read one of them. */
export interface Hdf5Question {
  readonly blob: Blob;
  readonly name: string;
  readonly array?: string;
}

export type Hdf5Answer =
  | { readonly arrays: readonly ArrayDescription[] }
  | { readonly values: NdArray }
  | { readonly error: ErrorMessage };

/** The arrays of a file of HDF5 or MATLAB. */
export async function listHdf5(
  blob: Blob,
  name: string,
  signal: AbortSignal,
): Promise<readonly ArrayDescription[]> {
  const answer = await ask({ blob, name }, signal);
  return 'arrays' in answer ? answer.arrays : [];
}

/** An array of a file of HDF5 or MATLAB. */
export async function readHdf5(
  blob: Blob,
  name: string,
  array: string,
  signal: AbortSignal,
): Promise<NdArray> {
  const answer = await ask({ blob, name, array }, signal);
  if ('values' in answer) return answer.values;
  throw new F2iError('INTERNAL', 'the worker gave no array', { file: name, field: array });
}

/**
 * The library of HDF5 cannot wait for a file: it needs a worker, where files are read at once. The worker is started from
 * the page's own script and inherits its security policy: it reaches nothing but this page's address.
 */
async function ask(question: Hdf5Question, signal: AbortSignal): Promise<Hdf5Answer> {
  const { default: Hdf5Worker } = await import('./hdf5Worker.ts').catch((cause) => {
    throw new F2iError('IO', 'the part of this page that reads HDF5 could not be loaded', {
      file: question.name,
      cause,
    });
  });
  const worker = new Hdf5Worker({ name: 'fmri2image HDF5' });
  try {
    const answer = await new Promise<Hdf5Answer>((resolve, reject) => {
      const cancel = () => reject(new F2iError('CANCELLED', `reading ${question.name} was cancelled`));
      if (signal.aborted) cancel();
      signal.addEventListener('abort', cancel, { once: true });
      worker.onmessage = ({ data }: MessageEvent<Hdf5Answer>) => resolve(data);
      worker.onerror = ({ message }) =>
        reject(
          new F2iError('INTERNAL', `the worker that reads HDF5 failed: ${message}`, { file: question.name }),
        );
      worker.postMessage(question);
    });
    if ('error' in answer) throw errorFromMessage(answer.error);
    return answer;
  } finally {
    worker.terminate();
  }
}
