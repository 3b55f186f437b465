import { join } from 'node:path';
import {
  type Backend,
  type DirectionResult,
  F2iError,
  type MindEyeSubject,
  numpyDraws,
  PUBLISHED_POOL,
  type PublishedSubject,
  publishedSubject,
  type Retrieval,
  type Rows,
  retrieval,
  TRIALS_A_SESSION,
} from '@fmri2image/core';
import type { Console } from '../console.ts';
import { PUBLISHED_SCORES, type PublishedScore, TEST_IMAGES } from '../nsd/published.ts';
import { openTargets, type Targets } from '../nsd/targets.ts';
import { RETRIEVAL_HEAD, type ResultItem, type Results } from './results.ts';

/** A count of the data beside the published one. */
export interface Count {
  readonly what: string;
  readonly found: number;
  readonly published?: number | undefined;
}

/** A published score beside the measured one, or why there is none. */
export interface Comparison extends Omit<PublishedScore, 'needs'> {
  readonly measured?: number | undefined;
  /** 95 %, of the measured score. */
  readonly interval?: readonly [number, number] | undefined;
  /** What guessing gives: one of the pool. */
  readonly chance?: number | undefined;
  /** As MindEye computes its interval: over pools, mean and 95 %. */
  readonly asPublished?: DirectionResult['published'] | undefined;
  readonly missing?: string | undefined;
}

/** What a subject's data count, beside what was published. */
export function countsOf({ number, trials, voxels, test }: MindEyeSubject): Count[] {
  const known: Partial<PublishedSubject> = publishedSubject(number) ?? {};
  const images = new Set(test.map(({ image }) => image)).size;
  const sessions = known.sessions;
  return [
    { what: 'voxels', found: voxels, published: known.voxels },
    { what: 'trials', found: trials, published: sessions && sessions * TRIALS_A_SESSION },
    {
      what: 'sessions of the test trials',
      found: new Set(test.map(({ session }) => session)).size,
      published: sessions,
    },
    { what: 'test trials', found: test.length, published: known.testTrials },
    { what: 'test images', found: images, published: sessions === 40 ? TEST_IMAGES : undefined },
  ];
}

/** Rows of a file of targets for the pictures of these items: one for each test picture in order, or one for all 73,000. */
export function targetRows({ rows, name }: Targets, items: readonly ResultItem[]): number[] {
  const images = items.map(({ stimulus }) => stimulus!);
  if (rows === items.length) return images.map((_, i) => i);
  const last = Math.max(...images);
  if (rows > last && rows >= 73_000) return images;
  throw new F2iError('FORMAT', 'not a row for each picture', {
    file: name,
    expected: `${items.length} rows (the test pictures, in ascending order), or 73000 (all)`,
    found: `${rows}`,
  });
}

/** Retrieval by the embeddings of a folder, against those of the pictures. */
export async function scoreRetrieval(
  folder: string,
  items: readonly ResultItem[],
  targets: Targets,
  { backend, console, signal }: { backend: Backend; console: Console; signal: AbortSignal },
): Promise<Retrieval> {
  const rows = targetRows(targets, items);
  const embeddings = await openTargets(join(folder, `${RETRIEVAL_HEAD}.npy`), signal);
  checkShapes(embeddings, targets, items.length);
  const read = (from: Targets, wanted: readonly number[], what: string): Promise<Rows> =>
    from.read(wanted, { signal, onProgress: (share) => console.progress(`read ${what}`, share) });
  const brain = await read(
    embeddings,
    items.map((_, i) => i),
    'retrieval embeddings',
  );
  const image = await read(targets, rows, 'targets');
  console.progress('retrieval');
  const { pool, draws } = PUBLISHED_POOL;
  const enough = items.length >= pool;
  return retrieval(brain, image, {
    // The pools of the published evaluation: numpy's, seed 42.
    draws: enough ? numpyDraws(42, items.length, pool, draws) : draws,
    backend,
    signal,
  });
}

/** Said before gigabytes are read. */
function checkShapes(embeddings: Targets, targets: Targets, items: number): void {
  const size = ({ shape }: Targets) => shape.reduce((product, extent) => product * extent, 1);
  const words = ({ rows, shape }: Targets) => `[${[rows, ...shape].join(', ')}]`;
  if (embeddings.rows !== items) {
    throw new F2iError('FORMAT', 'one row for each item of reconstructions.json', {
      file: embeddings.name,
      expected: `[${[items, ...embeddings.shape].join(', ')}]`,
      found: words(embeddings),
    });
  }
  if (size(embeddings) === size(targets)) return;
  throw new F2iError('FORMAT', 'targets and retrieval embeddings differ in shape', {
    file: targets.name,
    expected: `[pictures, ${embeddings.shape.join(', ')}] (${embeddings.name} is ${words(embeddings)})`,
    found: words(targets),
  });
}

/**
 * Refuses a folder of reconstructions that published figures cannot stand beside.
 *
 * @param of what `reconstruct` calls the data: `nsd-subj01`
 * @returns what limits the comparison
 * @throws USAGE for other models, data or repeats, and for a stage without retrieval embeddings
 */
export function checkFolder(
  folder: string,
  { provenance, outputs, run, items }: Pick<Results, 'provenance' | 'outputs' | 'run' | 'items'>,
  { of, images }: { of: string; images: number },
): string[] {
  const file = `${folder}/reconstructions.json`;
  const refuse = (field: string, message: string, expected: string, found: unknown) => {
    throw new F2iError('USAGE', message, { file, field, expected, found: `${found ?? 'none'}` });
  };
  const { decoder, study } = provenance;
  if (decoder !== 'mindeye2') refuse('provenance.decoder', 'of another model', 'mindeye2', decoder);
  if (study !== of) refuse('provenance.study', 'of other data', of, study);
  if (run?.repeats !== 'published') {
    refuse(
      'run.repeats',
      'not made with --repeats published, as the published figures are',
      'published',
      run?.repeats,
    );
  }
  if (!outputs?.some(({ name }) => name === RETRIEVAL_HEAD)) {
    const found = outputs?.map(({ name }) => name).join(', ');
    refuse(
      'outputs',
      `stage ${run?.stage ?? 'unknown'} gives no embeddings for retrieval`,
      RETRIEVAL_HEAD,
      found,
    );
  }
  if (items.length === images) return [];
  return [
    `${folder} holds ${items.length} of the ${images} test pictures: figures of some are not those of all`,
  ];
}

/** Each published score, with what was measured of it. */
export function compare(measured: Retrieval | undefined): Comparison[] {
  const own: Record<string, DirectionResult | undefined> = {
    'image retrieval': measured?.imageToBrain,
    'brain retrieval': measured?.brainToImage,
  };
  return PUBLISHED_SCORES.map(({ needs, ...published }) => {
    const result = own[published.name];
    if (result) {
      const { score, interval, published: asPublished } = result;
      return { ...published, measured: score, interval, chance: measured!.chance, asPublished };
    }
    const missing =
      needs === 'targets'
        ? 'needs embeddings of the test pictures (--targets)'
        : 'needs pictures: the generator is not part of this version';
    return { ...published, missing };
  });
}
