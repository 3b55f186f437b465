/** What a graph is given and gives back, checked: types do not reach every program. */
import type { Backend } from './backend.ts';
import { F2iError } from './error.ts';
import { describe, Tensor } from './tensor.ts';

export function checkBody(body: unknown): void {
  if (typeof body === 'function') return;
  throw invalid('a graph needs a body', 'a function of inputs that returns a list of tensors', nameOf(body));
}

export function checkInputs(inputs: unknown, backend: Backend): void {
  checkTensors('not the inputs of a graph', inputs, backend, 'launch([x])');
}

export function checkResults(results: unknown, backend: Backend): void {
  // Whatever becomes of a promise, that it is one is the error.
  if (results instanceof Promise) results.catch(() => {});
  checkTensors('not the results of a graph', results, backend, '[y]; at once, for ops only enqueue');
}

function checkTensors(message: string, list: unknown, backend: Backend, example: string): void {
  const expected = `a list of tensors, such as ${example}`;
  if (!Array.isArray(list)) throw invalid(message, expected, nameOf(list));
  for (const [i, each] of list.entries()) {
    if (!(each instanceof Tensor)) throw invalid(message, expected, `${nameOf(each)} in place ${i}`);
    if (each.backend === backend) continue;
    throw invalid('operands live on different backends', backend.name, each.backend.name);
  }
}

function nameOf(value: unknown): string {
  if (value instanceof Tensor) return `the tensor ${describe(value)}`;
  if (value instanceof Promise) return 'a promise';
  if (Array.isArray(value)) return 'a list';
  return value === null || value === undefined ? String(value) : `something of type ${typeof value}`;
}

function invalid(message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { expected, found });
}
