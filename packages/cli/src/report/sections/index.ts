import type { Section } from '../section.ts';
import { bandsSection } from './bands.ts';
import { dataSection } from './data.ts';
import { decoderSection } from './decoder.ts';
import { fieldsSection } from './fields.ts';
import { ledgerSection } from './ledger.ts';
import { mapsSection } from './maps.ts';
import { methodsSection } from './methods.ts';
import { notesSection } from './notes.ts';
import { permutationSection } from './permutation.ts';
import { picturesSection } from './pictures.ts';
import { reproduceSection } from './reproduce.ts';
import { retrievalSection } from './retrieval.ts';
import { runsSection } from './runs.ts';
import { scoresSection } from './scores.ts';
import { summarySection } from './summary.ts';

/** The report, from top to bottom. */
export const SECTIONS: readonly Section[] = [
  notesSection,
  summarySection,
  picturesSection,
  scoresSection,
  retrievalSection,
  permutationSection,
  runsSection,
  fieldsSection,
  mapsSection,
  bandsSection,
  decoderSection,
  dataSection,
  ledgerSection,
  methodsSection,
  reproduceSection,
];
