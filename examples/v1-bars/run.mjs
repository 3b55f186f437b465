// Real V1 responses to moving bars, from the raw files to pictures and scores, through the command line: each sweep of
// the bar is decoded by a decoder that was fitted on the other three. Ridge and the retinotopic decoder side by side.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '..', '..');
const HELP = `Usage: npm run example:v1-bars -- [options]

Decodes real V1 responses to moving bars: each sweep by decoders that were fitted on the others.

  --decoder <kind>    ridge, retinotopic or both (default: both, each in a folder of its name)
  --data <folder>     folder that holds mask-v1_bold.tsv.gz (default: ../shared/data/v1-bars)
  --output <folder>   where pictures and scores are written (default: .f2i/v1-bars)
  --device <name>     auto, cpu, cuda or reference (default: cpu)
  --threads <n>       threads of the CPU (default: all cores)
  --json              the last line is one JSON object: { results: [{ decoder, twoWay, frameCorrelation,
                      permutationP, device, seconds, frames, controls, pictures }] }
  --help              this text`;

const values = stated();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const known = ['ridge', 'retinotopic'];
const decoders = values.decoder === 'both' ? known : [values.decoder];
if (!known.includes(decoders[0])) {
  console.error(`v1-bars: --decoder is ridge, retinotopic or both; found ${values.decoder}`);
  process.exit(2);
}
const dataRoot = process.env.F2I_TEST_DATA ?? path.join(root, '..', 'shared', 'data');
const data = values.data ?? path.join(dataRoot, 'v1-bars');
if (!existsSync(data)) {
  console.error(`v1-bars: no data at ${data}; name the folder with --data (it holds mask-v1_bold.tsv.gz)`);
  process.exit(1);
}

const folder = values.output ?? path.join(root, '.f2i', 'v1-bars');
const results = [];
for (const decoder of decoders) {
  const output = decoders.length === 1 ? folder : path.join(folder, decoder);
  const args = ['evaluate', here, '--data', data, '--leave-one-out', 'run', '--decoder', decoder];
  if (decoder === 'ridge') args.push('--alpha-for', 'all');
  args.push('--device', values.device, '--output', output);
  // The default folder is the example's own.
  if (values.output === undefined) args.push('--force');
  if (values.threads) args.push('--threads', values.threads);
  if (values.json) args.push('--json');
  const started = performance.now();
  const { status, stdout } = spawnSync(
    process.execPath,
    [path.join(root, 'packages', 'cli', 'dist', 'main.js'), ...args],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28 },
  );
  if (status !== 0) process.exit(status ?? 70);
  if (!values.json) {
    process.stdout.write(decoders.length === 1 ? stdout : `${decoder}\n${stdout}\n`);
    continue;
  }
  const { twoWay, frameCorrelation, permutationP, device, evaluation } = JSON.parse(stdout);
  const seconds = (performance.now() - started) / 1e3;
  const controls = {
    chance: evaluation.twoWay.chance,
    meanPicture: evaluation.twoWay.meanPicture,
    shuffled: evaluation.twoWay.shuffled.mean,
  };
  const result = { decoder, twoWay, frameCorrelation, permutationP, device, seconds };
  results.push({
    ...result,
    frames: evaluation.trials,
    controls,
    pictures: path.join(output, 'pictures.png'),
  });
}
if (values.json) console.log(JSON.stringify({ results }));

/** The options; what is misspelt ends with the exit code of wrong usage. */
function stated() {
  try {
    return parseArgs({
      options: {
        decoder: { type: 'string', default: 'both' },
        json: { type: 'boolean', default: false },
        data: { type: 'string' },
        output: { type: 'string' },
        device: { type: 'string', default: 'cpu' },
        threads: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    console.error(`v1-bars: ${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}
