import os from 'node:os';
import { brainDiffuserTable, KEEPS, measureBrainDiffuser, serveRun } from '../brainDiffuser.ts';
import { PUBLISHED } from '../brainDiffuserData.ts';
import { chosen, type Mode, note, numberOf, peersFolder, record, scaled, show, threadsOf } from './mode.ts';

/** Brain-Diffuser's regression from disk to disk; each run in a process of its own, which is this program with `--child`. */
export const brainDiffuser: Mode = async (options) => {
  if (options.child !== undefined) {
    await serveRun(options.child);
    return 0;
  }
  const rows = await measureBrainDiffuser({
    problem: scaled(PUBLISHED, options),
    keeps: chosen(KEEPS, options.keep, 'keep'),
    threads: threadsOf(options),
    memory: numberOf(options, 'memory') * 1e9,
    seed: numberOf(options, 'seed'),
    kill: options.kill,
    peers: options.peers,
    sources: peersFolder,
    scratch: options.scratch ?? os.tmpdir(),
    note,
  });
  record(options, rows);
  show(options, rows, brainDiffuserTable);
  return rows.some((row) => !row.passed) ? 1 : 0;
};
