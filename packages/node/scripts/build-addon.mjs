// Builds the addon and puts it where its package is: npm/<platform>/f2i.node.
// CMake and Ninja (or Make) decide what is out of date: nothing is, nothing runs.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const { BuildSystem } = createRequire(import.meta.url)('cmake-js');

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const build = process.env.F2I_ADDON_BUILD ?? join(root, 'build');
const platform = `${process.platform}-${process.arch}`;
const packageFolder = join(root, 'npm', platform);

if (!existsSync(join(packageFolder, 'package.json'))) {
  console.error(`build-addon: there is no package for ${platform} (expected ${packageFolder}/package.json)`);
  process.exit(1);
}
const core = spawnSync('bash', [join(root, '..', '..', 'native', 'release.sh'), 'f2i_core'], {
  encoding: 'utf8',
});
if (core.status !== 0) {
  console.error(`${core.stdout}${core.stderr}build-addon: the native core could not be built`);
  process.exit(1);
}

mkdirSync(build, { recursive: true });
const system = new BuildSystem({
  directory: root,
  out: build,
  parallel: availableParallelism(),
  logLevel: 'error',
});

try {
  // A cache that was configured for another folder (a moved checkout) cannot be used.
  if (configuredFor() !== undefined && configuredFor() !== root) await system.reconfigure();
  await system.build();
} catch (error) {
  console.error(`build-addon: ${error?.message ?? error}`);
  console.error(`build-addon: see what failed with: cmake --build ${build}`);
  process.exit(1);
}

const built = join(build, 'f2i.node');
const shipped = join(packageFolder, 'f2i.node');
if (!existsSync(shipped) || !readFileSync(built).equals(readFileSync(shipped))) {
  // Renamed into place: a process that has the old file open keeps it.
  copyFileSync(built, `${shipped}.new`);
  renameSync(`${shipped}.new`, shipped);
}

function configuredFor() {
  const cache = join(build, 'CMakeCache.txt');
  return existsSync(cache)
    ? /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1]
    : undefined;
}
