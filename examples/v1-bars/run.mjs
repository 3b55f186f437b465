// Real V1 responses to moving bars, from the raw files to pictures and scores, through the command line: each sweep of
// the bar is decoded by ridge that was fitted on the other three.
//
//   npm run example:v1-bars -- [--json] [--data FOLDER] [--output FOLDER] [--device cpu|reference] [--threads N]
//
// With --json the last line is one JSON object: { results: [{ decoder, twoWay, frameCorrelation, permutationP, device,
// seconds }] }.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '..', '..');
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    data: { type: 'string' },
    output: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string' },
  },
});
const dataRoot = process.env.F2I_TEST_DATA ?? path.join(root, '..', 'shared', 'data');
const data = values.data ?? path.join(dataRoot, 'v1-bars');
if (!existsSync(data)) {
  console.error(`v1-bars: no data at ${data}; name the folder with --data (it holds mask-v1_bold.tsv.gz)`);
  process.exit(1);
}

const args = ['evaluate', here, '--data', data, '--leave-one-out', 'run', '--alpha-for', 'all'];
const output = values.output ?? path.join(root, '.f2i', 'v1-bars');
args.push('--device', values.device, '--output', output);
// The default folder is the example's own.
if (values.output === undefined) args.push('--force');
if (values.threads) args.push('--threads', values.threads);
const started = performance.now();
const { status, stdout } = spawnSync(
  process.execPath,
  [path.join(root, 'packages', 'cli', 'dist', 'main.js'), ...args, ...(values.json ? ['--json'] : [])],
  { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28 },
);
if (status !== 0) process.exit(status ?? 70);
if (!values.json) {
  process.stdout.write(stdout);
} else {
  const { decoder, twoWay, frameCorrelation, permutationP, device, evaluation } = JSON.parse(stdout);
  const seconds = (performance.now() - started) / 1e3;
  const controls = {
    chance: evaluation.twoWay.chance,
    meanPicture: evaluation.twoWay.meanPicture,
    shuffled: evaluation.twoWay.shuffled.mean,
  };
  const result = { decoder, twoWay, frameCorrelation, permutationP, device, seconds };
  console.log(
    JSON.stringify({
      results: [
        { ...result, frames: evaluation.trials, controls, pictures: path.join(output, 'pictures.png') },
      ],
    }),
  );
}
