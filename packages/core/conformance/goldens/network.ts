import type { Backend } from '../../src/backend.ts';
import { loadNetwork } from '../../src/nn/loadNetwork.ts';
import type { ResidentNetwork } from '../../src/nn/network.ts';
import type { Tensor } from '../../src/tensor.ts';
import { type MatchedWeights, matchWeights } from '../../src/weights/match.ts';
import type { WeightSchema } from '../../src/weights/schema.ts';
import { type WeightEntry, type WeightSource, weightSource } from '../../src/weights/source.ts';
import { type Produced, produced } from './adapter.ts';
import type { GoldenCase, GoldenTensor } from './case.ts';

const PREFIX = 'weights.';

export interface GoldenNetwork {
  readonly source: WeightSource;
  readonly matched: MatchedWeights;
  readonly network: ResidentNetwork;
}

/** The tensors `weights.*` of a case as a model's, found and loaded as those of a checkpoint are. */
export async function goldenNetwork(
  golden: GoldenCase,
  backend: Backend,
  schema: WeightSchema,
): Promise<GoldenNetwork> {
  const tensors = new Map<string, GoldenTensor>();
  for (const name of golden.names.filter((each) => each.startsWith(PREFIX))) {
    tensors.set(name.slice(PREFIX.length), await golden.read(name));
  }
  const entries = new Map<string, WeightEntry>(
    [...tensors].map(([name, { shape, data }]) => [
      name,
      { name, dtype: 'f64', shape, byteLength: data.byteLength },
    ]),
  );
  const source = weightSource({
    name: golden.name,
    format: 'safetensors',
    entries,
    readElements: async (name, start, end) => tensors.get(name)!.data.slice(start, end),
  });
  const matched = matchWeights(source, schema);
  return { source, matched, network: await loadNetwork(source, matched, backend) };
}

/** Tensors on their way back from the device, by the names that the files use. */
export class Results {
  readonly #pending = new Map<string, Promise<Produced>>();

  /** Enqueues the download at once: the tensor may be freed. */
  add(name: string, tensor: Tensor): void {
    const download = produced(tensor);
    download.catch(() => {}); // Reported by all().
    this.#pending.set(name, download);
  }

  async all(): Promise<Map<string, Produced>> {
    const results = new Map<string, Produced>();
    for (const [name, download] of this.#pending) results.set(name, await download);
    return results;
  }
}
