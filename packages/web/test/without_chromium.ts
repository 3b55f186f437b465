import { inject, it } from 'vitest';

const name = `everything in Chromium (${inject('missing')})`;
if (inject('required')) {
  it(name, () => {
    throw new Error(inject('missing'));
  });
} else {
  console.warn(`${name}: skipped`);
  it.skip(name);
}
