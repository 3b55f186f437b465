import { version } from '../machine.ts';
import { measureRidge, RIDGE_CASES, RIDGE_SIZE, ridgeTable } from '../ridge.ts';
import {
  chosen,
  folder,
  type Mode,
  note,
  numberOf,
  peersFolder,
  record,
  scaled,
  show,
  threadsOf,
} from './mode.ts';

/** Ridge regression in memory, beside scikit-learn, LAPACK, numpy and himalaya. */
export const ridge: Mode = async (options) => {
  const rows = await measureRidge({
    cases: chosen(RIDGE_CASES, options.cases, 'cases'),
    size: scaled(RIDGE_SIZE, options),
    threads: threadsOf(options),
    samples: numberOf(options, 'samples', '3'),
    seed: numberOf(options, 'seed'),
    peers: options.peers,
    sources: peersFolder,
    version: version(folder),
    note,
  });
  record(options, rows);
  show(options, rows, ridgeTable);
  return rows.some((row) => row.passed === false) ? 1 : 0;
};
