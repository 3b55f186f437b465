import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { studySchema } from '../../src/data/study/schema.ts';
import { parseManifest, readNumericTable } from '../../src/index.ts';
import { repositoryRoot } from '../shared.ts';
import { itWith, sharedSource } from './helpers/shared_data.ts';

const page = readFileSync(join(repositoryRoot, 'docs/study.md'), 'utf8');

describe('docs/study.md', () => {
  const manifests = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => json!);

  it('shows manifests that are valid', () => {
    expect(manifests.length).toBeGreaterThanOrEqual(3);
    for (const manifest of manifests) expect(() => parseManifest(manifest, 'docs/study.md')).not.toThrow();
  });

  it('explains every key of the schema, and in its parts', () => {
    /** Keys at any depth of a zod schema. */
    const keys = (schema: unknown): string[] => {
      const { def, shape } = schema as { def?: Record<string, unknown>; shape?: Record<string, unknown> };
      if (shape) return Object.entries(shape).flatMap(([key, inner]) => [key, ...keys(inner)]);
      const inner = [def?.innerType, def?.element, ...((def?.options as unknown[]) ?? [])];
      return inner.flatMap((part) => (part ? keys(part) : []));
    };
    const all = keys(studySchema);
    expect(all).toContain('dropBadVoxels');
    expect(all).toContain('reduce');
    for (const key of all) {
      const named = new RegExp(`[\`"{]\\s*"?${key}"?|"${key}"`);
      expect(page, `docs/study.md does not mention ${key}`).toMatch(named);
    }
  });
});

describe('examples/v1-bars', () => {
  itWith('data')('states the visual field that the grid of the data has', async () => {
    const manifest = readFileSync(join(repositoryRoot, 'examples/v1-bars/study.json'), 'utf8');
    const { visualField, stimuli } = parseManifest(manifest, 'study.json');
    const grid = await readNumericTable(await sharedSource('v1-bars/grid_coordinates.tsv'));
    // 80 x 45 pixels, y fastest, as the axes [stimulus, x, y] of the stimulus; coordinates are those of pixel centres.
    expect(stimuli).toMatchObject({ axes: ['stimulus', 'x', 'y'] });
    const x = (i: number) => grid.data[2 * 45 * i]!;
    const y = (j: number) => grid.data[2 * j + 1]!;
    expect(x(1)).toBeGreaterThan(x(0));
    expect(visualField!.yDirection).toBe(y(1) > y(0) ? 'up' : 'down');
    expect(visualField!.widthDegrees).toBeCloseTo(((x(79) - x(0)) / 79) * 80, 3);
    expect(visualField!.heightDegrees).toBeCloseTo((Math.abs(y(44) - y(0)) / 44) * 45, 3);
    const origin = visualField!.origin as { x: number; y: number };
    expect(origin.x).toBeCloseTo(-(x(0) + x(79)) / 2, 3);
    expect(origin.y).toBeCloseTo(-(y(0) + y(44)) / 2, 3);
  });
});
