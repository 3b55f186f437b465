import type { Backend } from '../backend.ts';
import type { OpenedWeights } from '../bundle/open.ts';
import { F2iError } from '../error.ts';
import { loadNetwork, networkBytes } from '../nn/loadNetwork.ts';
import type { ResidentNetwork } from '../nn/network.ts';
import { type MatchedWeights, matchWeights } from '../weights/match.ts';
import type { WeightSchema } from '../weights/schema.ts';
import type { ConvertedOptions } from './converted.ts';
import { checkMemory } from './memory.ts';
import { precisionOf } from './precision.ts';

/** What a stage of a model needs. */
export interface StageNeeds {
  /** Names of tensors. */
  readonly wanted: (name: string) => boolean;
  /** The most bytes that one batch takes beside the weights, from above. */
  readonly activations: number;
}

export interface LoadedConverted {
  readonly matched: MatchedWeights;
  readonly network: ResidentNetwork;
  readonly warnings: readonly string[];
}

/** Finds a model of one subject in a bundle, checks that what it needs fits, and puts that on a device. */
export async function loadConverted(
  { weights, warnings }: Pick<OpenedWeights, 'weights' | 'warnings'>,
  schema: WeightSchema,
  needs: (matched: MatchedWeights) => StageNeeds,
  file: string,
  backend: Backend,
  options: ConvertedOptions,
): Promise<LoadedConverted> {
  const { signal, onProgress, memory = {}, subject } = options;
  if (subject !== undefined && subject !== 0) {
    const [expected, found] = ['0, or nothing', `${subject}`];
    throw new F2iError('INVALID_ARGUMENT', 'the model has one subject (subject, --subject)', {
      field: 'subject',
      expected,
      found,
    });
  }
  const { dtype: precision, arithmetic, warnings: emulated } = precisionOf(options.precision);
  const matched = matchWeights(weights, schema);
  const { wanted, activations } = needs(matched);
  const needed = { weights: networkBytes(matched, { wanted, precision }), activations };
  checkMemory(needed, memory, backend, { file, remedy: 'f16 and bf16 take half of f32' });
  const network = await loadNetwork(weights, matched, backend, {
    ...{ wanted, precision, arithmetic, signal, onProgress },
  });
  return { matched, network, warnings: [...warnings, ...emulated] };
}

/**
 * The stage that was asked for, the first of all by default.
 *
 * @param there which of them the checkpoint has weights of
 * @throws INVALID_ARGUMENT for one that there is not; UNSUPPORTED for one without weights
 */
export function chosenStage<S extends string>(
  stage: string | undefined,
  stages: readonly [S, ...S[]],
  file: string,
  there: (stage: S) => boolean = () => true,
): S {
  const known = stages.find((each) => each === (stage ?? stages[0]));
  if (known === undefined) {
    const expected = stages.join(', ');
    throw new F2iError('INVALID_ARGUMENT', 'no such stage', { field: 'stage', expected, found: `${stage}` });
  }
  if (there(known)) return known;
  throw new F2iError('UNSUPPORTED', 'the checkpoint was trained without this part', {
    file,
    field: 'stage',
    expected: stages.filter(there).join(', '),
    found: known,
  });
}
