import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Script } from '@fmri2image/node/recorder';
import { conformanceScript } from './replay/conformance.ts';
import { modelsScript } from './replay/models.ts';
import { shapesScript } from './replay/shapes.ts';
import { readShapes } from './shape.ts';

const USAGE = `npm run replay -- FOLDER [options]

Writes what machines without Node run again: the cases of the conformance`;

const here = join(dirname(fileURLToPath(import.meta.url)), '..');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      most: { type: 'string', default: '8e6' },
    },
  });
  if (values.help || positionals.length !== 1) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const only = new RegExp(values.only);
  const [folder] = positionals as [string];
  mkdirSync(folder, { recursive: true });
  const { script, cases, leftOut } = await conformanceScript((id) => only.test(id), Number(values.most));
  save(script, folder, 'conformance', cases);
  for (const each of leftOut) console.log(`  left out: ${each}`);
  const shapes = await shapesScript(readShapes(join(here, 'shapes'), []));
  save(shapes.script, folder, 'shapes', shapes.cases);
  const models = await modelsScript(console.log);
  save(models.script, folder, 'models', models.cases);
  return 0;
}

function save(script: Script, folder: string, name: string, cases: number): void {
  writeFileSync(join(folder, `${name}.script`), script.text());
  const file = openSync(join(folder, `${name}.data`), 'w');
  for (const chunk of script.chunks) writeSync(file, chunk);
  closeSync(file);
  const megabytes = (script.byteLength / 1e6).toFixed(1);
  console.log(`${name}: ${cases} cases, ${megabytes} MB of data`);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
