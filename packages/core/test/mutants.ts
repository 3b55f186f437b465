import { type KnownCases, runConformance } from '../conformance/index.ts';
import { type Attributes, type Backend, ReferenceBackend } from '../src/index.ts';
import { referenceKernels } from '../src/reference/index.ts';
import type { ReferenceKernel, View } from '../src/reference/kernel.ts';

/** A reference backend with one kernel replaced. */
export function withKernel(op: string, kernel: ReferenceKernel): ReferenceBackend {
  return new ReferenceBackend({ kernels: new Map([...referenceKernels, [op, kernel]]) });
}

/** A reference backend that lacks an op. */
export function withoutKernel(op: string): ReferenceBackend {
  return new ReferenceBackend({ kernels: new Map([...referenceKernels].filter(([name]) => name !== op)) });
}

type Values = readonly (View | undefined)[];

/** The reference's kernel on changed operands or attributes. */
export function before(
  op: string,
  change: (inputs: Values, attributes: Attributes) => { inputs?: Values; attributes?: Attributes },
): ReferenceKernel {
  return (inputs, outputs, attributes) => {
    const changed = change(inputs, attributes);
    referenceKernels.get(op)!(changed.inputs ?? inputs, outputs, { ...attributes, ...changed.attributes });
  };
}

/** The reference's kernel, its first output then spoilt. */
export function after(
  op: string,
  spoil: (y: Float64Array, outputs: readonly View[]) => void,
): ReferenceKernel {
  return (inputs, outputs, attributes) => {
    referenceKernels.get(op)!(inputs, outputs, attributes);
    spoil(outputs[0]!.data, outputs);
  };
}

export function mapped(view: View | undefined, change: (value: number, index: number) => number): View {
  return { ...view!, data: view!.data.map(change) };
}

/** The types in which a backend fails a case; one that did is not looked at again. */
export async function failedTypes(
  backend: Backend,
  filter: RegExp,
  known: KnownCases,
): Promise<ReadonlySet<string>> {
  const failed = new Set<string>();
  const typeOf = (id: string) => id.split('/')[1]!;
  await runConformance(backend, {
    known,
    filter: { test: (id) => !failed.has(typeOf(id)) && filter.test(id) },
    onResult: ({ id, status }) => void (status === 'failed' && failed.add(typeOf(id))),
  });
  await backend.dispose();
  return failed;
}
