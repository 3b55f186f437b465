import type { Json } from '@fmri2image/core';

/** `report.alignment` of an aligned bundle, and what `align` reports; older bundles have less. */
interface Alignment {
  readonly targets?: string;
  readonly teachers?: readonly {
    readonly subject: number;
    readonly study?: string;
    readonly stimuli: number;
    readonly matched: number;
  }[];
  readonly alpha?: { readonly smallest: number; readonly largest: number };
  readonly explained?: number;
}

/** How a layer was aligned, in lines. */
export function describeAlignment(alignment: { readonly [key: string]: Json } | object): string[] {
  const { targets, teachers = [], alpha, explained } = alignment as Alignment;
  const lines: string[] = [];
  if (targets) lines.push(`targets: ${targets}`);
  for (const { subject, study, stimuli, matched } of teachers) {
    const name = study === undefined ? '' : ` (${study})`;
    lines.push(`teacher ${subject}${name}: ${stimuli} stimuli, ${matched} of them seen by the new subject`);
  }
  if (alpha) {
    const { smallest, largest } = alpha;
    const value = smallest === largest ? digits(smallest) : `${digits(smallest)} to ${digits(largest)}`;
    lines.push(`penalty: ${value}`);
  }
  if (explained !== undefined) {
    lines.push(`variance of the targets explained in stimuli left out: ${explained.toFixed(3)}`);
  }
  return lines;
}

const digits = (value: number) => `${Number(value.toPrecision(4))}`;
