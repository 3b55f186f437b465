// The commands of the root package.json. Each is complete by itself on a fresh clone: it installs and builds what
// is missing or out of date, then runs. Plain JavaScript without dependencies, because it runs before the install.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const results = path.join(root, '.f2i', 'test-results');
const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' };

/** Runs a command with its output shown; returns its exit status. */
function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit', ...options });
  if (error) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

/** Seconds between signs of life of a command that runs quietly. */
const SIGN_OF_LIFE = 20;

/** Runs a preparatory command quietly: its output is shown only when it fails, which ends everything. */
async function prepare(label, command, args) {
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  process.stderr.write(`${label} ... `);
  const life = setInterval(() => process.stderr.write(`${seconds().toFixed(0)} s ... `), 1000 * SIGN_OF_LIFE);
  const output = [];
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => output.push(data));
  const why = await new Promise((resolve) => {
    child.on('error', (error) => resolve(` (${error.message})`));
    child.on('close', (status, signal) => resolve(status === 0 ? undefined : signal ? ` (${signal})` : ''));
  });
  clearInterval(life);
  if (why === undefined) {
    process.stderr.write(`done in ${seconds().toFixed(1)} s\n`);
    return;
  }
  process.stderr.write(`\n${Buffer.concat(output)}\n${label}: failed${why}\n`);
  process.exit(1);
}

function requireTools() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node ${process.versions.node} is too old: fmri2image needs 20.19 or newer`);
  }
  const missing = [
    ['cmake', ['--version'], 'cmake'],
    ['c++', ['--version'], 'g++'],
  ].filter(([tool, args]) => spawnSync(tool, args).status !== 0);
  if (missing.length > 0) {
    const names = missing.map(([tool]) => tool).join(' and ');
    fail(
      `the native core needs ${names} (on Debian: apt-get install ${missing.map((m) => m[2]).join(' ')} make)`,
    );
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

/**
 * What the lock file says, unless that is installed. Not `npm ci`: it refuses where a registry lacks the optional packages
 * of platforms that are not this one.
 */
async function install() {
  const stamp = path.join(root, 'node_modules', '.package-lock.json');
  const lock = path.join(root, 'package-lock.json');
  const fresh = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs;
  if (!fresh)
    await prepare('install', 'npm', ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts']);
}

async function build() {
  requireTools();
  await install();
  await prepare('build (the first one takes minutes)', 'npx', [
    '--no-install',
    'turbo',
    'run',
    'build',
    '--output-logs=errors-only',
  ]);
}

/** Adds up the results that vitest and ctest left as JSON, and names what failed with the start of its message. */
function countResults() {
  const total = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const name of readdirSync(results)) {
    const report = JSON.parse(readFileSync(path.join(results, name), 'utf8'));
    for (const file of report.testResults ?? []) {
      for (const { status, fullName, failureMessages } of file.assertionResults ?? []) {
        if (status !== 'failed') continue;
        const message = (failureMessages?.[0] ?? '').slice(0, 600).replaceAll('\n', '\n      ');
        total.failures.push(`${path.relative(root, file.name)}: ${fullName}\n      ${message}`);
      }
    }
    total.passed += report.numPassedTests;
    total.failed += report.numFailedTests;
    total.skipped += (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
  }
  return total;
}

/**
 * The packages' tests. Those of the native core, which mostly compile, share the cores with those of the web, which mostly
 * wait for one thread of a browser; then one package at a time: some tests watch the event loop.
 */
function testSteps(args) {
  const turbo = ['--no-install', 'turbo', 'run', 'test', '--continue', '--ui=stream'];
  const step = (label, ...more) => [label, 'npx', [...turbo, ...more, ...args]];
  if (args.length > 0) return [step('test', '--concurrency=1')];
  const beside = ['@fmri2image/native', '@fmri2image/web'];
  return [
    step('test: native and web', '--concurrency=2', ...beside.map((name) => `--filter=${name}`)),
    step('test: one by one', '--concurrency=1', ...beside.map((name) => `--filter=!${name}`)),
  ];
}

async function test(args) {
  await build();
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  const steps = [
    ['lint', 'npm', ['run', '--silent', 'lint']],
    ['typecheck', 'npx', ['--no-install', 'turbo', 'run', 'typecheck', '--output-logs=errors-only']],
    ...testSteps(args),
    ['packages install and run', process.execPath, [path.join('scripts', 'pack-check.mjs')]],
  ];
  const failedSteps = [];
  let passedSteps = 0;
  for (const [label, command, commandArgs] of steps) {
    console.log(`\n== ${label}`);
    if (run(command, commandArgs) === 0) passedSteps++;
    else failedSteps.push(label);
  }
  const { passed, failed, skipped, failures } = countResults();
  // A test step fails because tests fail: those are counted already.
  const stepFailures = failedSteps.filter((label) => !label.startsWith('test') || failed === 0).length;
  if (failedSteps.length > 0) console.log(`\nfailed: ${failedSteps.join(', ')}`);
  for (const failure of failures) console.log(`  ${failure}`);
  console.log(`\n${passed + passedSteps} passed, ${failed + stepFailures} failed, ${skipped} skipped`);
  return failedSteps.length === 0 ? 0 : 1;
}

/** Runs a script of the repository after the build. */
const after =
  (...script) =>
  async (args) => {
    await build();
    return run(process.execPath, [path.join(...script), ...args]);
  };

/** The page is built from the sources: it needs neither the native core nor a build of the packages. */
async function page(args) {
  await install();
  return serve(process.execPath, [path.join('scripts', 'page.mjs'), ...args]);
}

/** Help is a text that lies in the repository: to read it costs no build. */
const helpOr = (help, command) => (args) => {
  if (!args.some((arg) => arg === '--help' || arg === '-h')) return command(args);
  console.log(readFileSync(path.join(root, help), 'utf8').trimEnd());
  return 0;
};

/** Runs a command that goes on until it is stopped: what stops this process stops it too. */
function serve(command, args) {
  const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(1);
    });
    // As shells say it of an end by a signal.
    child.on('exit', (code, signal) => resolve(code ?? 128 + os.constants.signals[signal]));
  });
}

const commands = {
  start: (args) => after('packages', 'cli', 'dist', 'main.js')(['demo', ...args]),
  test,
  goldens: after('scripts', 'goldens.mjs'),
  bench: helpOr(path.join('benchmarks', 'usage.txt'), after('benchmarks', 'dist', 'run.js')),
  page,
  replay: after('benchmarks', 'dist', 'replay.js'),
  'example:align': after('examples', 'align', 'run.mjs'),
  'example:haxby': after('examples', 'haxby', 'run.mjs'),
  'example:v1-bars': after('examples', 'v1-bars', 'run.mjs'),
};

const [name, ...args] = process.argv.slice(2);
if (!Object.hasOwn(commands, name))
  fail(`unknown command ${name}; one of ${Object.keys(commands).join(', ')}`);
process.exit(await commands[name](args));
