import { ops, sizeOf, type Tensor } from '@fmri2image/core';
import { priorSample, voxelsToTokens, type Workload } from '@fmri2image/core/conformance';
import { DryRecorder, operandOf, type Script } from '@fmri2image/node/recorder';

/** Uploads of more bytes are weights: drawn where the script runs. */
const LARGEST = 1 << 16;

/** What is timed as one, with what its rows are called. */
const WORKLOADS = [
  {
    op: 'voxels_to_tokens',
    shape: { voxels: 15724 },
    about: "three repeats of a trial through MindEye2's subject layer and backbone, weights in bf16",
    make: (recorder: DryRecorder) => voxelsToTokens(recorder, 'bf16'),
    units: 4096,
  },
  {
    op: 'prior_sample',
    shape: { evaluations: 19 },
    about: "one sample of MindEye2's prior, weights in bf16",
    make: (recorder: DryRecorder) => priorSample(recorder, 'bf16'),
    // Nineteen evaluations of six layers, each of which multiplies what came before: of the largest entry 0.02.
    units: 160_000,
  },
];

/** Whole stages of MindEye2 at its published size with random weights, which are drawn where the script runs. */
export async function modelsScript(note: (line: string) => void): Promise<{ script: Script; cases: number }> {
  const recorder = new DryRecorder(LARGEST);
  const { script } = recorder;
  for (const workload of WORKLOADS) {
    note(`${workload.op}: random weights`);
    script.begin(`${workload.op}/f32/${Object.entries(workload.shape).join(' ').replace(',', '=')}`);
    const { input, run } = await workload.make(recorder);
    await record(workload, { input, run }, recorder);
    for (const tensor of recorder.liveTensors()) tensor.dispose();
    script.end();
  }
  await recorder.dispose();
  return { script, cases: WORKLOADS.length };
}

async function record(
  { op, shape, about, units }: (typeof WORKLOADS)[number],
  { input, run }: Workload,
  recorder: DryRecorder,
): Promise<void> {
  const { script } = recorder;
  const given = recorder.drawn('normal', input, 'f32');
  const counted = { flops: 0, bytes: weightBytes(recorder) };
  const plain = recorder.enqueue.bind(recorder);
  const counting: DryRecorder['enqueue'] = (spec, inputs, attributes, ...rest) => {
    counted.flops += ops.get(spec.name)!.flops(inputs, attributes);
    return plain(spec, inputs, attributes, ...rest);
  };
  recorder.enqueue = counting;
  script.timed();
  const output: Tensor = await run(given);
  recorder.enqueue = plain;
  script.result(operandOf(output), units);
  script.facts({ op, shape, dtype: 'f32', about, flops: counted.flops, bytes: counted.bytes });
  output.dispose();
  given.dispose();
}

/** Every weight is read at least once. */
function weightBytes(recorder: DryRecorder): number {
  return recorder
    .liveTensors()
    .reduce((sum, { shape, byteLength }) => sum + (sizeOf(shape) > 1 ? byteLength : 0), 0);
}
