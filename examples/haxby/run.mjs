// Real responses to pictures of eight categories, from the NIfTI file to a report with a confusion matrix, through the
// command line: each run is decoded by a decoder that was fitted on the other eleven.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '..', '..');
const HELP = `Usage: npm run example:haxby -- [options]

Decodes which of eight categories of pictures one person saw, each run by a decoder that was fitted on the others.

  --data <folder>     folder that holds bold.nii.gz (default: ../shared/data/haxby)
  --output <folder>   where the report is written (default: .f2i/haxby)
  --device <name>     auto, cpu, cuda or reference (default: cpu)
  --threads <n>       threads of the CPU (default: all cores)
  --json              the last line is one JSON object: { accuracy, chance, permutationP, device, seconds, trials,
                      balancedAccuracy, blockAccuracy, report }
  --help              this text`;

// A factor of ten and more to both sides of the mean eigenvalue of the Gram matrix, about 1600.
const ALPHAS = '100,300,1000,3000,10000,30000,100000';

const values = stated();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const dataRoot = process.env.F2I_TEST_DATA ?? path.join(root, '..', 'shared', 'data');
const data = values.data ?? path.join(dataRoot, 'haxby');
if (!existsSync(data)) {
  console.error(`haxby: no data at ${data}; name the folder with --data (it holds bold.nii.gz)`);
  process.exit(1);
}

const output = values.output ?? path.join(root, '.f2i', 'haxby');
const args = ['report', here, '--data', data, '--targets', 'labels', '--leave-one-out', 'run'];
args.push('--alphas', ALPHAS, '--device', values.device, '--output', output);
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
if (values.json) {
  const seconds = (performance.now() - started) / 1e3;
  const { accuracy, chance, permutationP, device, trials, balancedAccuracy, blockAccuracy, page } =
    JSON.parse(stdout);
  const scores = { accuracy, chance, permutationP, device, seconds };
  console.log(JSON.stringify({ ...scores, trials, balancedAccuracy, blockAccuracy, report: page }));
} else {
  process.stdout.write(stdout);
}

/** The options; what is misspelt ends with the exit code of wrong usage. */
function stated() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        data: { type: 'string' },
        output: { type: 'string' },
        device: { type: 'string', default: 'cpu' },
        threads: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    console.error(`haxby: ${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}
