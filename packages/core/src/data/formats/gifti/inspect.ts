import type { Json } from '../../json.ts';
import type { Gifti } from './gifti.ts';

/** What a GIFTI file holds, in the form that descriptions of files have. */
export function inspectGifti({ version, metadata, labels, arrays }: Gifti): {
  arrays: { name: string; dtype: string; shape: readonly number[] }[];
  details: Record<string, Json>;
} {
  const distinct = (values: string[]) => [...new Set(values)].join(', ');
  return {
    arrays: arrays.map(({ dtype, shape }, i) => ({ name: `${i}`, dtype, shape })),
    details: {
      version,
      intents: distinct(arrays.map(({ intent }) => intent)),
      encodings: distinct(arrays.map(({ encoding }) => encoding)),
      ...(labels.size > 0 ? { labels: Object.fromEntries(labels) } : {}),
      ...(metadata.size > 0 ? { metadata: Object.fromEntries(metadata) } : {}),
      ...(arrays.some((array) => array.metadata.has('Name'))
        ? { names: arrays.map((array) => array.metadata.get('Name') ?? '') }
        : {}),
    },
  };
}
