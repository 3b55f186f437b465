import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nodeFolder } from '@fmri2image/node';
import type { Script } from '@fmri2image/node/recorder';
import { conformanceScript } from './replay/conformance.ts';
import { goldensScript } from './replay/goldens.ts';
import { goldensFolder } from './replay/goldensFolder.ts';
import { modelsScript } from './replay/models.ts';
import { shapesScript } from './replay/shapes.ts';
import { readShapes } from './shape.ts';

const USAGE = `npm run replay -- FOLDER [options]

Writes what machines without Node run again (native/gpu.sh, native/tools/replay), each as NAME.script and NAME.data:

  conformance   the cases of every op, with what the reference computes and how far a result may be off
  goldens       the calls of each golden whose results come straight from the device, with the original's numbers
  shapes        the ops over the shapes of this field; operands are drawn where they are measured
  models        whole stages of MindEye2 at its published size, weights drawn where they are measured

  --sets LIST       of these (default: all)
  --goldens FOLDER  (default: F2I_GOLDENS, or ../shared/goldens beside the repository where that is there)
  --only REGEX      cases of the conformance
  --most BYTES      of data that a case of conformance or goldens may have (default 16e6)`;

const SETS = ['conformance', 'goldens', 'shapes', 'models'] as const;

const here = join(dirname(fileURLToPath(import.meta.url)), '..');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', default: false },
      sets: { type: 'string', default: SETS.join(',') },
      goldens: { type: 'string' },
      only: { type: 'string', default: '' },
      most: { type: 'string', default: '16e6' },
    },
  });
  const [folder] = positionals;
  if (values.help || folder === undefined || positionals.length > 1) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const only = new RegExp(values.only);
  const most = Number(values.most);
  const makers: Record<(typeof SETS)[number], () => Promise<Exported | undefined>> = {
    conformance: () => conformanceScript((id) => only.test(id), most),
    async goldens() {
      if (goldens !== undefined) return goldensScript(await nodeFolder(goldens), most);
      console.log(`goldens: left out, there is no folder ${beside}`);
      return undefined;
    },
    shapes: () => shapesScript(readShapes(join(here, 'shapes'), [])),
    models: () => modelsScript(console.log),
  };
  const sets = values.sets.split(',');
  const unknown = sets.find((set) => !Object.hasOwn(makers, set));
  if (unknown !== undefined) throw new Error(`--sets: expected ${SETS.join(', ')}, found ${unknown}`);
  const beside = join(here, '..', '..', 'shared', 'goldens');
  const named = [['--goldens', values.goldens] as const, ['F2I_GOLDENS', process.env.F2I_GOLDENS] as const];
  // A folder that was named and is not there is found before anything is made.
  const asked = sets.includes('goldens') || values.goldens !== undefined;
  const goldens = asked ? goldensFolder(named, beside) : undefined;
  mkdirSync(folder, { recursive: true });
  for (const set of SETS.filter((each) => sets.includes(each))) {
    const exported = await makers[set]();
    if (exported) save(exported, folder, set);
  }
  return 0;
}

interface Exported {
  readonly script: Script;
  readonly cases: number;
  readonly leftOut?: readonly string[];
}

function save({ script, cases, leftOut = [] }: Exported, folder: string, name: string): void {
  writeFileSync(join(folder, `${name}.script`), script.text());
  const file = openSync(join(folder, `${name}.data`), 'w');
  for (const chunk of script.chunks) writeSync(file, chunk);
  closeSync(file);
  console.log(`${name}: ${cases} cases, ${(script.byteLength / 1e6).toFixed(1)} MB of data`);
  for (const each of leftOut) console.log(`  left out: ${each}`);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
