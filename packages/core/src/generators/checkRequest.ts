import { F2iError, throwIfAborted } from '../error.ts';
import { sizeOf } from '../tensor.ts';
import type {
  FeatureInput,
  GeneratorInputs,
  GeneratorRequest,
  LowLevel,
  NamedFeatures,
} from './generator.ts';

/** A request that fits, its defaults filled in. */
export interface CheckedRequest extends GeneratorRequest {
  readonly count: number;
  /** One for each picture. */
  readonly seeds: readonly number[];
  readonly previews: boolean;
}

/**
 * Holds a request against what a generator reads.
 *
 * @throws INVALID_ARGUMENT, naming the field, for an input that is missing, of another shape or another model, not finite,
 *   or not read at all, and for counts and seeds that are none; CANCELLED
 */
export function checkRequest(inputs: GeneratorInputs, request: GeneratorRequest): CheckedRequest {
  throwIfAborted(request.signal, 'generating');
  for (const field of ['tokens', 'vector'] as const) {
    if (isGiven(field, request[field], inputs[field])) checkFeatures(field, request[field]!, inputs[field]!);
  }
  if (isGiven('lowLevel', request.lowLevel, inputs.lowLevel)) {
    checkLowLevel(request.lowLevel!, inputs.lowLevel!);
  }
  isGiven('caption', request.caption, inputs.caption);
  const seeds = checkedSeeds(request);
  return { ...request, seeds, count: seeds.length, previews: request.previews ?? false };
}

/** Whether an input is there, which it must be where it is required, and must not be where it is not read. */
function isGiven(field: string, value: unknown, input: { readonly required: boolean } | undefined): boolean {
  const given = value !== undefined;
  if (given && !input) throw invalid('the generator does not read this', field, 'nothing', 'a value');
  if (!given && input?.required) throw invalid('the generator needs this', field, 'a value', 'nothing');
  return given;
}

function checkFeatures(
  field: string,
  { data, shape, name }: NamedFeatures,
  input: Omit<FeatureInput, 'required'>,
): void {
  if (shape.join() !== input.shape.join() || data.length !== sizeOf(input.shape)) {
    const found = `[${shape.join(', ')}] with ${data.length} values`;
    throw invalid('not what the generator reads', field, `[${input.shape.join(', ')}]`, found);
  }
  if (name !== undefined && input.name !== undefined && name !== input.name) {
    throw invalid('features of another model', field, input.name, name);
  }
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw invalid('not a finite value', `${field}[${odd}]`, 'a number', `${data[odd]}`);
}

function checkLowLevel(lowLevel: LowLevel, input: NonNullable<GeneratorInputs['lowLevel']>): void {
  const kinds = [...(input.image ? ['image'] : []), ...(input.latent ? ['latent'] : [])];
  if (!kinds.includes(lowLevel.kind)) {
    throw invalid(
      'the generator does not start from this',
      'lowLevel.kind',
      kinds.join(' or '),
      lowLevel.kind,
    );
  }
  if (lowLevel.kind === 'latent') checkFeatures('lowLevel.latent', lowLevel.latent, input.latent!);
}

function checkedSeeds({ count, seeds }: GeneratorRequest): readonly number[] {
  if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
    throw invalid('not a number of pictures', 'count', '1 or more', `${count}`);
  }
  if (!seeds) return Array.from({ length: count ?? 1 }, (_, i) => i);
  if (seeds.length === 0 || (count !== undefined && seeds.length !== count)) {
    throw invalid('a seed for each picture', 'seeds', `${count ?? '1 or more'}`, `${seeds.length}`);
  }
  const bad = seeds.find((seed) => !Number.isSafeInteger(seed) || seed < 0);
  if (bad !== undefined) {
    throw invalid('a seed is out of range', 'seeds', 'integers from 0 to 2^53 - 1', `${bad}`);
  }
  return [...seeds];
}

function invalid(message: string, field: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
