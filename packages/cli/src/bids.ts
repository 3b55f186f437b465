import { basename, dirname, resolve } from 'node:path';
import { type Study, VERSION } from '@fmri2image/core';

/** Version of the Brain Imaging Data Structure that outputs follow. */
const BIDS_VERSION = '1.10.0';
const NAME = 'fmri2image';

/** `dataset_description.json` of a derivative. */
export function datasetDescription(study: Study, what: string) {
  return {
    Name: `${what} of ${study.name}`,
    BIDSVersion: BIDS_VERSION,
    DatasetType: 'derivative',
    ...(study.dataTerms !== undefined && { License: study.dataTerms }),
    GeneratedBy: [{ Name: NAME, Version: VERSION, Description: what }],
    // Folders differ from machine to machine: the study is known by its name.
    SourceDatasets: [
      { Name: study.name, ...(study.description !== undefined && { Description: study.description }) },
    ],
  };
}

/**
 * BIDS wants the name of the program in that of a folder inside `derivatives/`; elsewhere any name will do.
 *
 * @returns what to say, where the rule is not kept
 */
export function derivativeNameNote(path: string): string | undefined {
  const full = resolve(path);
  const name = basename(full);
  if (basename(dirname(full)) !== 'derivatives' || name.toLowerCase().includes(NAME)) return undefined;
  return `inside derivatives/ BIDS expects a folder whose name holds ${NAME}, such as ${NAME}-${name}`;
}

/** `sub-01` of a pseudonym; letters and digits alone may stand in a BIDS label. */
export function subjectEntity(pseudonym: string | undefined): string | undefined {
  const label = pseudonym?.replace(/^sub-/i, '').replace(/[^a-z0-9]/gi, '');
  return label ? `sub-${label}` : undefined;
}

/** A BIDS label of any name: `beach scene-2.png` becomes `beachscene2`. */
export function label(name: string): string {
  return (
    name
      .replace(/\.[a-z]{2,4}$/i, '')
      .replace(/[^a-z0-9]/gi, '')
      .slice(0, 80) || 'unnamed'
  );
}
