import { expect, it } from 'vitest';
import { shareOf } from '../src/recipes/fitRecipe.ts';

it('the ceiling of the process is that of a device in its memory, and none of a GPU', () => {
  expect(shareOf({ name: 'cpu' }, 1e6 + 0.5)).toBe(1e6);
  expect(shareOf({ name: 'reference' }, 1e6)).toBe(1e6);
  expect(shareOf({ name: 'cuda' }, 1e6)).toBeUndefined();
});
