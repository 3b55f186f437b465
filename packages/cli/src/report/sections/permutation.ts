import { html } from '../html.ts';
import { plot } from '../parts.ts';
import type { Section } from '../section.ts';
import { wordsOf } from '../words.ts';

/** Is there anything at all? */
export const permutationSection: Section = {
  id: 'permutation',
  title: 'Is it more than accident?',
  short: 'Permutations',
  body: (data) => {
    const { permutation } = data.evaluation;
    if (permutation.reason !== undefined) {
      return html`<p>There is no permutation test: ${permutation.reason}.</p>`;
    }
    const how =
      permutation.exchangeability === 'continuous'
        ? 'shifted circularly along their run, which keeps their smoothness in time'
        : `exchanged ${data.results.rows?.exchanged === 'among all rows' ? 'among all test rows (averages of several trials belong to no run)' : 'within their run'}`;
    return html`<p>If the responses carried nothing about the ${wordsOf(data.results).pictures}, reconstructions could be ${how}, without a change in score. ${permutation.exact ? `All ${permutation.permutations}` : `${permutation.permutations} random`} rearrangements of this kind${permutation.exact ? '' : ` (seed ${permutation.seed})`} give the grey distributions; p is the share of them that does as well as the true order, and cannot fall below ${String(Number(permutation.smallestP.toPrecision(2)))}.${permutation.crossFitted ? ' Runs that are held out in turn train each other’s decoders; the rearranged scores are therefore spread by √2 about their mean, so that they may leave the range that a score can have.' : ''}${permutation.exchangeability === 'continuous' ? ' In runs of fewer than 50 frames p by circular shifts is approximate.' : ''}</p>
<div class="plots">
${plot(data, 'permutation-identification', 'Identification with rearranged reconstructions (grey), and as observed (blue).')}
${plot(data, 'permutation-correlation', 'Frame correlation, in the same way.')}
${plot(data, 'permutation-image-to-brain', 'Retrieval from image to brain, in the same way.')}
${plot(data, 'permutation-brain-to-image', 'Retrieval from brain to image, in the same way.')}
</div>`;
  },
};
