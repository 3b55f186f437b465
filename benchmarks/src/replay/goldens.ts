import { type Folder, sizeOf, toNumbers } from '@fmri2image/core';
import { type ComparedTensor, runGoldens } from '@fmri2image/core/conformance';
import { CpuRecorder, type Download, type Script } from '@fmri2image/node/recorder';

export interface ExportedGoldens {
  readonly script: Script;
  readonly cases: number;
  /** Cases without a result that comes straight from the device, and those that failed or are skipped, with the reason. */
  readonly leftOut: readonly string[];
}

/**
 * Every golden as the calls that the CPU made for it, with the original's numbers where results were downloaded: they are
 * found again by their values. What is computed after a download is not replayed.
 *
 * @param most bytes of data that a case may have
 */
export async function goldensScript(folder: Folder, most: number, only = /(?:)/): Promise<ExportedGoldens> {
  const recorder = new CpuRecorder();
  const { script } = recorder;
  const leftOut: string[] = [];
  let cases = 0;
  let mark = script.mark();
  let compared: ComparedTensor[] = [];
  await runGoldens(folder, recorder, {
    filter: {
      test(name) {
        if (!only.test(name)) return false;
        mark = script.mark();
        script.begin(name);
        recorder.downloads.length = 0;
        compared = [];
        return true;
      },
    },
    onCompared: (each) => compared.push(each),
    onResult({ name, status, message }) {
      const found = placesOf(compared, recorder.downloads);
      expect(script, found);
      script.end();
      const bytes = script.byteLength - mark[2];
      const reason =
        status !== 'passed'
          ? `${status}: ${message}`
          : found.length === 0
            ? 'its results are computed after the download'
            : bytes > most && `${(bytes / 1e6).toFixed(1)} MB`;
      if (reason === false) {
        cases++;
        return;
      }
      script.rewind(mark);
      leftOut.push(`${name} (${reason})`);
    },
  });
  await recorder.dispose();
  return { script, cases, leftOut };
}

interface Placed {
  readonly tensor: ComparedTensor;
  readonly download: Download;
}

/** For each tensor, the last download that has its values. */
function placesOf(tensors: readonly ComparedTensor[], downloads: readonly Download[]): Placed[] {
  return tensors.flatMap((tensor) => {
    const download = downloads.findLast(
      ({ operand, values }) =>
        sizeOf(operand.shape) === tensor.found.length &&
        equal(toNumbers(values, operand.dtype), tensor.found),
    );
    return download ? [{ tensor, download }] : [];
  });
}

function equal(a: Float64Array, b: Float64Array): boolean {
  return a.every((value, i) => Object.is(value, b[i]));
}

/** From the last to the first: what is put in moves what comes after it. */
function expect(script: Script, found: readonly Placed[]): void {
  for (const { tensor, download } of found.toSorted((a, b) => b.download.position - a.download.position)) {
    const tolerance = new Float64Array(tensor.expected.length).fill(tensor.atol);
    script.entries(download.operand, tensor.expected, tolerance, undefined, download.position);
  }
}
