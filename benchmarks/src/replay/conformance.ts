import { type Expectation, expectations } from '@fmri2image/core/conformance';
import { DryRecorder, operandOf, type Script } from '@fmri2image/node/recorder';

export interface Exported {
  readonly script: Script;
  readonly cases: number;
  /** Cases whose data are larger than the others' together, and their bytes. */
  readonly leftOut: readonly string[];
}

/**
 * Cases of the ops as a script, with what the reference expects.
 *
 * @param wanted their names
 * @param most bytes of data that a case may have
 */
export async function conformanceScript(
  wanted: (id: string) => boolean = () => true,
  most = 8e6,
): Promise<Exported> {
  const recorder = new DryRecorder();
  const { script } = recorder;
  let cases = 0;
  const leftOut: string[] = [];
  for (const expectation of expectations(wanted)) {
    const mark = script.mark();
    record(expectation, recorder);
    const bytes = script.byteLength - mark[2];
    if (bytes <= most) {
      cases++;
      continue;
    }
    script.rewind(mark);
    leftOut.push(`${expectation.id} (${(bytes / 1e6).toFixed(1)} MB)`);
  }
  await recorder.dispose();
  return { script, cases, leftOut };
}

function record(expectation: Expectation, recorder: DryRecorder): void {
  const { script } = recorder;
  script.begin(expectation.id);
  recorder.scope(() => {
    const { operands, outputs } = expectation.enqueue(recorder);
    if (expectation.rejects !== undefined) script.fails(`F2I_${expectation.rejects}`, expectation.op);
    else if (expectation.bounds) {
      for (const [i, { tolerance, mean }] of expectation.bounds.entries()) {
        if (!tolerance) throw new Error(`${expectation.id}: nothing says how far output ${i} may be off`);
        script.entries(operandOf(outputs[i]!), expectation.expected[i]!.data, tolerance, mean);
      }
    } else {
      const matrices = [...operands.map((each) => each!.view), ...outputs].map(operandOf);
      const scalars = Object.values(expectation.attributes).map(Number);
      script.residual(expectation.op, matrices, scalars, expectation.expected[0]!.data);
    }
    for (const each of operands) if (each) script.kept(operandOf(each.whole).storage);
  });
  script.end();
}
