import { measureLimits } from '../limits.ts';
import { startPeers } from '../peers.ts';
import { measurePrior, PRIOR_WEIGHTS, priorTable } from '../prior.ts';
import { cache, chosen, type Mode, note, numberOf, peersFolder, record, show, threadsOf } from './mode.ts';

/** One evaluation of MindEye2's prior, beside PyTorch. */
export const prior: Mode = async (options) => {
  const threads = threadsOf(options);
  const limits = measureLimits(peersFolder, cache, threads);
  const { peers } = options.peers ? await startPeers(peersFolder, cache, threads) : { peers: [] };
  try {
    const peer = peers.find(({ name }) => name === 'torch');
    const samples = Math.min(numberOf(options, 'samples', '5'), 5);
    const weights = chosen(PRIOR_WEIGHTS, options.precision, 'precision');
    const rows = await measurePrior({ weights, threads, samples, limits, peer, note });
    record(options, rows);
    show(options, rows, priorTable);
    return 0;
  } finally {
    for (const each of peers) each.stop();
  }
};
