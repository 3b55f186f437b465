import { CONSTANT, chanceInWords, constantOf } from '../../pipeline/baselines.ts';
import { arraysInWords, metricsOf } from '../../pipeline/evaluate.ts';
import type { RecordingRows } from '../../pipeline/recordingRows.ts';
import { nearCopies } from '../controls.ts';
import { hasPictures, type ReportData } from '../data.ts';
import { counted, median, percent, pValue, score } from '../format.ts';
import { type Html, html } from '../html.ts';
import { plot, table } from '../parts.ts';
import type { Section } from '../section.ts';
import { decoderOf, wordsOf } from '../words.ts';

/** Scores beside everything that they must be read beside. */
export const scoresSection: Section = {
  id: 'scores',
  title: 'Scores beside their controls',
  short: 'Scores',
  body: (data) => html`${scoresTable(data)}
${!hasPictures(data) && html`<p>Of several arrays that a model may give: ${arraysInWords(data.evaluation.arrays)}.</p>`}
<div class="plots">
${plot(data, 'scores-identification', 'Two-way identification of the decoder (line: 95 % interval) and of its controls (shuffled: from the mean to the value that 5 % of rearrangements exceed).')}
${plot(data, 'scores-correlation', 'Frame correlation, in the same way.')}
</div>
${explanations(data)}
<h3>Single ${wordsOf(data.results).unit}s</h3>
<div class="plots">
${plot(data, 'distribution-identification', `How often each reconstruction is closer to its own ${wordsOf(data.results).picture} than to another.`)}
${plot(data, 'distribution-correlation', `Correlation of each reconstruction with its ${wordsOf(data.results).picture}.`)}
</div>
<h3>Noise ceiling</h3>
${noiseCeiling(data)}`,
};

function scoresTable({ evaluation, made, results }: ReportData): Html {
  const metrics = metricsOf(evaluation);
  const has = (name: 'meanPicture' | 'nearestTraining' | 'bestTraining') =>
    evaluation.twoWay[name] !== undefined;
  const columns = [
    { title: 'metric' },
    { title: decoderOf({ results, made }), number: true },
    { title: '95 % interval', number: true },
    { title: 'chance', number: true },
    ...(has('meanPicture') ? [{ title: CONSTANT, number: true }] : []),
    ...(has('nearestTraining') ? [{ title: 'nearest training', number: true }] : []),
    { title: 'shuffled', number: true },
    ...(has('bestTraining') ? [{ title: 'best of training', number: true }] : []),
    { title: 'p', number: true },
    { title: results.rows ? 'rows' : 'trials', number: true },
  ];
  const rows = metrics.map(({ name, metric }) => ({
    cells: [
      name.trim(),
      score(metric.score),
      `${score(metric.interval[0])} to ${score(metric.interval[1])}`,
      chanceInWords(metric.chance),
      ...(has('meanPicture') ? [score(constantOf(metric, evaluation))] : []),
      ...(has('nearestTraining') ? [score(metric.nearestTraining)] : []),
      evaluation.permutation.reason === undefined ? score(metric.shuffled.mean) : 'n/a',
      ...(has('bestTraining') ? [score(metric.bestTraining)] : []),
      pValue(metric.p),
      metric.perTrial.length,
    ],
  }));
  return table(`Mean scores over ${wordsOf(results).unit}s`, columns, rows);
}

function explanations({ evaluation, results }: ReportData): Html {
  const { picture, pictures, meanTraining, unit } = wordsOf(results);
  const { meanPicture, nearestTraining, bestTraining } = evaluation.twoWay;
  return html`<dl>
<dt>two-way identification</dt><dd>Of the reconstruction’s correlations with the ${picture} shown and with another scored ${picture}, how often is that with the ${picture} shown the larger one? Ties count as failures; presentations of the same stimulus do not compete.</dd>
<dt>frame correlation</dt><dd>Pearson’s correlation of reconstruction and ${picture} over all their values. It has no chance level: whatever all ${pictures} have in common, any prediction has, too. Read it beside the ${CONSTANT} and shuffled ${unit}s.</dd>
${meanPicture !== undefined && html`<dt>${CONSTANT}</dt><dd>The ${meanTraining} as the answer to every ${unit}: what can be had without a brain.</dd>`}
${nearestTraining !== undefined && html`<dt>nearest training</dt><dd>Each reconstruction replaced by the training ${picture} (of its fold) that correlates most with it: would looking up a known ${picture} do as well?</dd>`}
${bestTraining !== undefined && html`<dt>best of training</dt><dd>The training ${picture} that correlates most with the ${picture} shown: the most that choosing among the training ${pictures} could reach, with or without a brain. Near 1, the scored ${pictures} are hardly new.</dd>`}
<dt>shuffled</dt><dd>The mean over the rearrangements of the permutation test.</dd>
</dl>`;
}

function noiseCeiling(data: ReportData): Html {
  const { ceiling, agreement, study, evaluation, results, maps } = data;
  if (results.rows) return ceilingElsewhere(results.rows, maps);
  if (!ceiling) {
    const why = study.continuous
      ? `the study lists every frame as a stimulus of its own, so repeats${nearCopies(evaluation) === undefined ? '' : ' (there are near copies among them)'} cannot be counted as such`
      : evaluation.stimuli < evaluation.trials || results.items.some(({ trials }) => trials.length > 1)
        ? 'the reconstructions do not say how the responses were prepared'
        : 'no scored stimulus was shown twice';
    return html`<p>None can be given: ${why}. How much of the missing score is noise, and how much the decoder’s fault, these data do not say.</p>`;
  }
  const { repeats, stimuli, presentations } = ceiling;
  return html`<p>From ${counted(presentations, 'presentation')} of ${stimuli} repeated stimuli: the stimulus explains ${percent(median(ceiling.singleTrial))} of the variance of the median voxel’s response to one presentation, and ${percent(median(ceiling.averaged))} of the mean over ${Number(repeats.toFixed(1))}. No decoder can read out what these responses do not hold.</p>
${agreement && html`<p>Reconstructions of the same ${wordsOf(results).picture} from different presentations correlate with each other by ${score(agreement.same, 2)} on average (${counted(agreement.pairs, 'pair')}), those of different ${wordsOf(results).pictures} by ${score(agreement.different, 2)}.</p>`}
<div class="plots">${plot(data, 'noise-ceiling', 'Noise ceiling of single voxels, for single presentations.')}</div>`;
}

/** Responses of a recording are not held by its predictions; their ceilings are maps of voxels. */
function ceilingElsewhere({ test }: RecordingRows, maps: ReportData['maps']): Html {
  if (maps?.maps.some(({ name }) => name === 'noiseceiling')) {
    return html`<p>The <a href="#maps">maps of voxels</a> show the noise ceilings, which were estimated from the recording.</p>`;
  }
  const shown =
    test.trials > test.pictures
      ? `The ${test.pictures} test pictures were shown in ${test.trials} trials: the noise ceilings of the voxels can be estimated from the recording (fmri2image maps --noise-ceiling, then report --maps).`
      : 'No test picture was shown twice; pictures of the recording that were give noise ceilings of the voxels (fmri2image maps --noise-ceiling).';
  return html`<p>Not part of this page: it is made of predictions, without the responses. ${shown}</p>`;
}
