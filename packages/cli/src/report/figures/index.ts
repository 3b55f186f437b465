import type { Figures, ReportData } from '../data.ts';
import type { Figure } from '../plot.ts';
import { drawAlphas } from './alphas.ts';
import { drawCeiling } from './ceiling.ts';
import { drawDistributions } from './distribution.ts';
import { drawFields } from './fields.ts';
import { drawPermutations } from './permutations.ts';
import { drawScores } from './scores.ts';
import { drawTimelines } from './timeline.ts';

/** Each draws what applies to the data, and nothing otherwise. */
const DRAWERS: readonly ((data: Omit<ReportData, 'figures'>) => Promise<Figure[]>)[] = [
  drawScores,
  drawDistributions,
  drawPermutations,
  drawTimelines,
  drawCeiling,
  drawFields,
  drawAlphas,
];

export async function drawFigures(data: Omit<ReportData, 'figures'>, signal: AbortSignal): Promise<Figures> {
  const figures = new Map<string, Figure>();
  for (const drawer of DRAWERS) {
    signal.throwIfAborted();
    for (const figure of await drawer(data)) figures.set(figure.name, figure);
  }
  return figures;
}
