import type { MetricResult, RetrievalMetric } from '@fmri2image/core';
import { CONSTANT, chanceInWords } from '../../pipeline/baselines.ts';
import { counted, score } from '../format.ts';
import { html } from '../html.ts';
import { plot, table } from '../parts.ts';
import type { Section } from '../section.ts';
import { wordsOf } from '../words.ts';

/** Of features: which of many candidates is the right one? */
export const retrievalSection: Section = {
  id: 'retrieval',
  title: 'Retrieval',
  short: 'Retrieval',
  applies: ({ evaluation }) => evaluation.retrieval !== undefined,
  body: (data) => {
    const { retrieval, trials, stimuli, arrays } = data.evaluation;
    const { unit } = wordsOf(data.results);
    const { imageToBrain, brainToImage, pool, k, draws, note, seconds } = retrieval!;
    const place = k === 1 ? 'the most similar' : `among the ${k} most similar`;
    const chance = chanceInWords(imageToBrain.chance);
    const row = (name: string, published: string, metric: RetrievalMetric) => ({
      cells: [
        name,
        score(metric.score),
        interval(metric),
        chance,
        published,
        score(metric.published.mean),
        metric.published.interval ? interval({ interval: metric.published.interval }) : 'none: one pool',
      ],
    });
    return html`<p>One of ${pool} candidates is the right one. How often is it ${place}, by the cosine of the decoded embedding (${arrays.retrieval}.npy) and that of the stimulus? The score is the expectation over all pools of the ${stimuli} stimuli; its interval is about other stimuli. ${note !== undefined && `Mind that ${note}.`}</p>
${table(
  'Retrieval in both directions',
  [
    { title: 'direction' },
    { title: 'score', number: true },
    { title: '95 % interval', number: true },
    { title: 'chance', number: true },
    { title: 'direction in MindEye’s tables' },
    { title: `mean of ${counted(draws, 'draw')}`, number: true },
    { title: 'interval over draws', number: true },
  ],
  [
    row('image to brain', 'image retrieval (“fwd”)', imageToBrain),
    row('brain to image', 'brain retrieval (“bwd”)', brainToImage),
  ],
)}
<dl>
<dt>image to brain</dt><dd>A stimulus is given; its own response is sought among the responses of the pool.</dd>
<dt>brain to image</dt><dd>A response is given; its own stimulus is sought among the stimuli of the pool. The published names say the opposite of what one may expect, since the published code transposes its similarities.</dd>
<dt>mean and interval over draws</dt><dd>${PROTOCOL[arrays.mindeyeProtocol ? 'same' : 'other']} The interval is 1.96 standard errors over random pools of the same trials. It says nothing about other stimuli, and vanishes with more draws.</dd>
<dt>${CONSTANT}</dt><dd>The mean training features as every answer: one stimulus is retrieved for all responses. Of image to brain it says nothing, as all responses tie.</dd>
</dl>
<div class="plots">
${plot(data, 'scores-image-to-brain', `Retrieval from image to brain, beside its controls; chance ${chance}.`)}
${plot(data, 'scores-brain-to-image', 'Retrieval from brain to image, in the same way.')}
</div>
<p>Similarities and scores took ${seconds < 1 ? `${Math.max(1, Math.round(1e3 * seconds))} ms` : `${seconds.toFixed(1)} s`}: ${Math.round(trials / seconds)} ${unit}s per second.</p>`;
  },
};

const PROTOCOL = {
  same: 'As MindEye’s papers print them: of the retrieval head, repeats averaged, the nearest of 300.',
  other:
    'Not what MindEye’s papers print, which is of their models’ retrieval head, repeats averaged, the nearest of 300.',
} as const;

const interval = ({ interval: [low, high] }: Pick<MetricResult, 'interval'>) =>
  `${score(low)} to ${score(high)}`;
