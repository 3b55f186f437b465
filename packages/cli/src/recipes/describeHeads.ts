import { type BundleModel, HEADS_KIND, headsConfig } from '@fmri2image/core';

interface Reported {
  readonly heads?: readonly {
    readonly name: string;
    readonly alpha: number | { readonly chosen: Readonly<Record<string, number>>; readonly score: number };
  }[];
  readonly headBands?: Readonly<
    Record<
      string,
      {
        readonly bands: readonly {
          readonly name: string;
          readonly voxels: number;
          readonly weight: number;
        }[];
      }
    >
  >;
  readonly recording?: { readonly name: string; readonly counts: readonly string[] };
}

/** What is particular to a bundle of a recipe: its recording, split, and each head. */
export function describeHeads(model: BundleModel): [what: string, text: string][] {
  if (model.kind !== HEADS_KIND) return [];
  const { recipe, split, normalisation, input, designs, heads } = headsConfig(model, 'model.json');
  const { heads: reported = [], headBands = {}, recording } = model.report as unknown as Reported;
  const rows: [string, string][] = [
    ['recipe', `${recipe}; split ${split}, normalisation ${normalisation}`],
    [
      'decodes',
      input === 'betas'
        ? 'betas as they are read, trial by trial'
        : 'responses that went through that normalisation',
    ],
  ];
  if (recording) rows.push(['fitted on', `${recording.name}: ${recording.counts.join(', ')}`]);
  for (const { name, shape, design, storage, renormalise } of heads) {
    const { roi, rows: trials, voxels } = designs[design]!;
    const alpha = reported.find((head) => head.name === name)?.alpha;
    const penalty =
      alpha === undefined
        ? ''
        : typeof alpha === 'number'
          ? `, alpha ${alpha}`
          : `, alpha ${Object.entries(alpha.chosen)
              .map(([value, count]) => `${value} (${count})`)
              .join(', ')}, mean score ${Number(alpha.score.toPrecision(3))}`;
    const size = storage === 'dual' ? `${trials} training rows` : `${voxels} voxels`;
    rows.push([
      `head ${name}`,
      `[${shape.join(', ')}] from ${roi}: weights of ${size}${penalty}; renormalised: ${renormalise}`,
    ]);
    const bands = headBands[name]?.bands;
    if (bands) {
      const list = bands.map(
        (band) => `${band.name} ${Number(band.weight.toPrecision(3))} (${band.voxels} voxels)`,
      );
      rows.push([`bands of ${name}`, `penalties over ${list.join(', ')}`]);
    }
  }
  return rows;
}
