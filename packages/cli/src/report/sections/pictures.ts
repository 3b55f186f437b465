import { type Rows, takeRows } from '@fmri2image/core';
import { hasPictures, type ReportData, runsOf, truthOf } from '../data.ts';
import type { Example } from '../examples.ts';
import { counted, score } from '../format.ts';
import { type Html, html } from '../html.ts';
import { scrolling } from '../parts.ts';
import { filmStrip, type Inline, inline, inlinePicture, pictureOf } from '../pictures.ts';
import type { Section } from '../section.ts';

/** Reconstructions beside what was shown, chosen by rule. */
export const picturesSection: Section = {
  id: 'pictures',
  title: 'Reconstructions beside what was shown',
  short: 'Pictures',
  applies: hasPictures,
  body: (data) => {
    const { percentiles, random, seed, showStimuli, study, evaluation } = data;
    const nearest = showStimuli && evaluation.nearestStimulus !== undefined;
    return html`${
      showStimuli
        ? ''
        : html`<p><strong>The stimuli were left out of this report</strong> (--no-stimuli); scores were computed with them.</p>`
    }
<h3>At fixed percentiles of the score</h3>
<p class="muted">Nobody chose these: of ${counted(evaluation.scored.length, 'scored trial')} in ascending order of frame correlation (equal ones in the order of the study), percentile q is number round(q/100 · (n − 1)), from the worst (0) to the best (100).${nearest ? ' The third picture is the training picture that correlates most with the reconstruction: what a look-up would have answered.' : ''}</p>
<ul class="pairs${nearest ? '' : html` two`}">${percentiles.map((example) => pair(data, example, nearest))}</ul>
<h3>Drawn at random</h3>
<p class="muted">${counted(random.length, 'trial')} drawn without replacement (seed ${seed}), in the order of the study.</p>
<ul class="pairs two">${random.map((example) => pair(data, example, false))}</ul>
${study.continuous ? strips(data) : ''}`;
  },
};

function pair(data: ReportData, { place, percentile }: Example, withNearest: boolean): Html {
  const { evaluation, results, study, showStimuli } = data;
  const index = evaluation.scored[place]!;
  const item = results.items[index]!;
  const r = score(evaluation.frameCorrelation.perTrial[place]!, 2);
  const trial = item.trials.map((number) => number + 1).join(' + ');
  const name = item.stimulusName ?? `stimulus ${item.stimulus}`;
  const reconstructed = inlinePicture(pictureOf(results.values, index));
  const shown = showStimuli && inlinePicture(pictureOf(truthOf(study, results, [index]), 0));
  const near = withNearest ? evaluation.nearestStimulus![index] : undefined;
  const nearest =
    near === undefined ? undefined : inlinePicture(pictureOf(takeRows(study.stimuli!.values, [near]), 0));
  const small = Math.max(reconstructed.width, reconstructed.height) <= 96;
  return html`<li><div class="pictures${small ? html` small` : ''}">
${shown ? picture(shown, `Shown in trial ${trial}: ${name}`, 'shown') : ''}
${picture(reconstructed, `Reconstructed from trial ${trial}, correlation ${r}`, 'reconstructed')}
${nearest ? picture(nearest, `Nearest training picture: ${study.stimuli!.names[near!] ?? near}`, 'nearest training') : ''}
</div><p class="label">${percentile === undefined ? '' : html`<strong>percentile ${percentile}</strong>, `}r = ${r}<br><span class="muted">trial ${trial}, ${name}, run ${item.run}</span></p></li>`;
}

const picture = ({ uri, width, height }: Inline, alt: string, caption: string): Html =>
  html`<div><img src="${uri}" alt="${alt}" width="${width}" height="${height}"><span aria-hidden="true">${caption}</span></div>`;

/** Frames of a run and of one line, at most; lines are equally long. */
const MOST_FRAMES = 132;
const FRAMES_IN_LINE = 22;

/** Whole runs, frame by frame. */
function strips(data: ReportData): Html {
  const { showStimuli } = data;
  const runs = runsOf(data).map(({ run, items }) => {
    const every = Math.ceil(items.length / MOST_FRAMES);
    const frames = items.filter((_, i) => i % every === 0);
    const count = Math.ceil(frames.length / FRAMES_IN_LINE);
    const length = Math.ceil(frames.length / count);
    const lines = Array.from({ length: count }, (_, line) => {
      const from = line * length;
      return strip(data, run, frames.slice(from, from + length), from + 1);
    });
    const thinned = every === 1 ? '' : `; every ${every}th is shown`;
    return html`<figure class="strip"><figcaption>run ${run} (${counted(items.length, 'frame')}${thinned})</figcaption>${scrolling(
      `Frames of run ${run}`,
      lines,
    )}</figure>`;
  });
  return html`<h3>Whole runs</h3>
<p class="muted">${showStimuli ? 'Above what was shown, below what was reconstructed' : 'What was reconstructed'}, from left to right as time goes by, on the same scale of brightness. A white line marks the frames that are scored.</p>
${runs}`;
}

function strip(data: ReportData, run: string, frames: readonly number[], first: number): Html {
  const { study, results, showStimuli, evaluation } = data;
  const scored = new Set(evaluation.scored);
  const rows: Rows[] = [takeRows(results.values, frames)];
  if (showStimuli) rows.unshift(truthOf(study, results, frames));
  const marked = frames.map((index) => scored.has(index));
  const { uri, width, height } = inline(filmStrip(rows, marked));
  const what = showStimuli ? 'shown above, reconstructed below' : 'reconstructed';
  const alt = `Run ${run}, frames ${first} to ${first + frames.length - 1} of those in this strip, ${what}`;
  return html`<img src="${uri}" alt="${alt}" width="${width}" height="${height}">`;
}
