import { it } from 'vitest';
import { describeOnDevice } from './available.ts';
import { conforms } from './conforms.ts';

describeOnDevice('conformance', () => {
  it('holds for every op', () => conforms({ least: 400 }));
});
