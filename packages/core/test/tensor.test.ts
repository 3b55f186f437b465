import { describe, expect, it } from 'vitest';
import { F2iError } from '../src/index.ts';

describe('F2iError', () => {
  it('names file, field, expected and found', () => {
    const error = new F2iError('FORMAT', 'wrong magic', {
      file: 'bold.nii',
      field: 'magic',
      expected: 'n+1',
      found: 'xyz',
    });
    expect(error.message).toBe('bold.nii: magic: wrong magic; expected n+1, found xyz');
  });
});
