import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brainDiffuser } from './modes/brainDiffuser.ts';
import { mindeye2 } from './modes/mindeye2.ts';
import { folder, type Mode, parse } from './modes/mode.ts';
import { ops } from './modes/ops.ts';
import { prior } from './modes/prior.ts';
import { ridge } from './modes/ridge.ts';
import { table } from './modes/table.ts';

/** By the first word; without one of these, the words name ops. */
const MODES: Readonly<Record<string, Mode>> = {
  mindeye2,
  prior,
  ridge,
  'brain-diffuser': brainDiffuser,
  table,
};

async function main(): Promise<number> {
  const { values, positionals } = parse();
  if (values.help) {
    process.stdout.write(readFileSync(join(folder, 'usage.txt'), 'utf8'));
    return 0;
  }
  const [first = '', ...rest] = positionals;
  return Object.hasOwn(MODES, first) ? MODES[first]!(values, rest) : ops(values, positionals);
}

main().then(
  // Dawn keeps the event loop alive: end explicitly.
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
