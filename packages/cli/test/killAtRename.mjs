// Loaded before a command (`node --import`): the process is killed by SIGKILL at the moment when a file or folder gets a name.
// killAtRename.mjs?to=PATH&when=before kills instead of the rename to PATH, `when=after` behind it.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

const { searchParams } = new URL(import.meta.url);
const [target, when] = [searchParams.get('to'), searchParams.get('when')];
const { rename } = fs.promises;
const { renameSync } = fs;
// The signal arrives while this waits: nothing else is done.
const die = () => {
  process.kill(process.pid, 'SIGKILL');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};

fs.promises.rename = async (from, to) => {
  const isIt = basename(String(to)) === target;
  if (isIt && when === 'before') die();
  await rename(from, to);
  if (isIt) die();
};
fs.renameSync = (from, to) => {
  const isIt = basename(String(to)) === target;
  if (isIt && when === 'before') die();
  renameSync(from, to);
  if (isIt) die();
};
syncBuiltinESMExports();
