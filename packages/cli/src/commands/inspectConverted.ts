import type { BundleModel } from '@fmri2image/core';
import { describeAlignment } from '../pipeline/lineage.ts';

interface Described {
  readonly config: { readonly dtype?: string; readonly extents?: Readonly<Record<string, number>> };
  readonly report: {
    readonly source?: { readonly file: string; readonly format: string };
    readonly upstream?: { readonly repository: string };
    readonly alignment?: {
      readonly parent: string;
      readonly trials: { readonly used: number; readonly all: number; readonly stimuli: number };
    };
  };
}

/** What is particular to a bundle of converted weights: its subjects, type, and where it came from. */
export function describeConverted(model: BundleModel): [what: string, text: string][] {
  const { config, report } = model as unknown as Described;
  const lines: [string, string][] = [];
  const subjects = Object.entries(config.extents ?? {}).flatMap(([name, voxels]) => {
    const [, subject] = /^voxels\[(\d+)\]$/.exec(name) ?? [];
    return subject === undefined ? [] : [{ subject: Number(subject), voxels }];
  });
  subjects.sort((a, b) => a.subject - b.subject);
  if (subjects.length > 0) {
    const each = subjects.map(({ subject, voxels }) => `${subject} (${voxels} voxels)`).join(', ');
    lines.push(['subjects', subjects.length > 1 ? `${each}; reconstruct --subject N` : each]);
  }
  if (config.dtype) lines.push(['matrices', `${config.dtype}; biases, gains and tables f32`]);
  const { source, upstream, alignment } = report;
  if (source) {
    const repository = upstream ? `, a model of ${upstream.repository}` : '';
    lines.push(['converted from', `${source.file} (${source.format})${repository}`]);
  }
  if (alignment) {
    const { used, all, stimuli } = alignment.trials;
    lines.push(['aligned from', `bundle ${alignment.parent}`]);
    lines.push(['new subject', `${used} of ${all} trials (${stimuli} stimuli)`]);
    for (const line of describeAlignment(alignment)) {
      const at = line.indexOf(': ');
      lines.push([line.slice(0, at), line.slice(at + 2)]);
    }
  }
  return lines;
}
