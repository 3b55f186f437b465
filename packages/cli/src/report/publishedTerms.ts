import { listed } from './format.ts';
import type { Citations } from './references.ts';

/** What names of splits, normalisations and ROIs mean, in the terms of papers. */

/** Papers of recipes and splits that the text can cite. */
const PAPERS: Readonly<Record<string, { readonly title: string; readonly cite: string }>> = {
  'brain-diffuser': { title: 'Brain-Diffuser', cite: 'ozcelik' },
  takagi: { title: 'Takagi and Nishimoto', cite: 'takagi' },
  mirage: { title: 'MIRAGE', cite: 'kneeland' },
  mindeye1: { title: 'MindEye', cite: 'mindeye' },
  'mindeye2-new-test': { title: 'MindEye2, all sessions', cite: 'scotti' },
  'mindeye2-old-test': { title: 'MindEye2, without the last three sessions', cite: 'scotti' },
};

/** `Brain-Diffuser (Ozcelik & VanRullen, 2023)`; undefined for what was not published. */
export function publishedBy(name: string, citations: Citations): string | undefined {
  const paper = PAPERS[name];
  return paper && `${paper.title} ${citations.cite(paper.cite)}`;
}

/** `by the split of Brain-Diffuser (Ozcelik & VanRullen, 2023)` */
export function splitInWords(name: string, citations: Citations): string {
  const by = publishedBy(name, citations);
  if (by !== undefined) return `by the split of ${by}`;
  return name === 'split' ? 'as the data set states it' : `by the split “${name}”`;
}

const BY_ROWS = 'Each voxel was z-scored by its mean and standard deviation over the training rows';

/** How voxels were brought to a common scale: a sentence. */
export function normalisationSentence(name: string, citations: Citations): string {
  switch (name) {
    case 'none':
      return 'Responses entered as they were, without normalisation.';
    case 'train':
    case 'takagi':
      return `${BY_ROWS}.`;
    case 'brain-diffuser':
      return `${BY_ROWS} (divisor n − 1).`;
    case 'session-train':
      return 'Each voxel was z-scored within each session by the mean and standard deviation of its training trials.';
    case 'mindeye2':
      return `Each voxel was z-scored within each session by the mean and standard deviation of all trials but those of the pictures that all subjects saw ${citations.cite('scotti')}.`;
    case 'mindeye2-released':
      return `Each voxel was z-scored within each session over all its trials, test trials included but not what they showed, as in the released code of MindEye2 ${citations.cite('scotti')}.`;
    case 'run':
      return 'Each voxel was z-scored within each run over all its trials, test trials included but not what they showed.';
    default:
      return `Responses were normalised (“${name}”).`;
  }
}

/** `all voxels`, `ROI nsdgeneral`, `ROIs early and ventral of the atlas streams` */
export function roiInWords(name: string): string {
  if (name === 'all') return 'all that were measured';
  const [, atlas, labels] = /^([^:+,]+):([^:,]+)$/.exec(name) ?? [];
  if (labels === undefined) return `ROI ${name}`;
  const list = labels.split('+');
  return `${list.length === 1 ? 'ROI' : 'ROIs'} ${listed(list)} of the atlas ${atlas}`;
}
