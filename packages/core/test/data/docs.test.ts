import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { studySchema } from '../../src/data/study/schema.ts';
import { parseManifest } from '../../src/index.ts';
import { repositoryRoot } from '../shared.ts';

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
