import type { BundleModel } from '@fmri2image/core';
import type { Command } from 'commander';

/** Under what terms data and what was made of them may be used. */
export type Terms = Pick<BundleModel, 'dataTerms' | 'consentReference' | 'pseudonym'>;

/** Options that state terms. */
export function withTerms(command: Command): Command {
  return command
    .optionsGroup('Statements that go with the data:')
    .option('--data-terms <text>', 'licence or terms of the data, kept in the bundle')
    .option('--consent-reference <text>', 'reference of the consent: a protocol, an approval')
    .option('--pseudonym <text>', 'a name of the person that is not theirs');
}

/** What is stated on the command line, else by what it is about: a study, a bundle. */
export function termsOf(options: Terms, about: Terms): Terms {
  return {
    dataTerms: options.dataTerms ?? about.dataTerms,
    consentReference: options.consentReference ?? about.consentReference,
    pseudonym: options.pseudonym ?? about.pseudonym,
  };
}

/** Lines for people; none where nothing is stated. */
export function describeTerms({
  dataTerms,
  consentReference,
  pseudonym,
}: Terms): [what: string, text: string][] {
  const rows: [string, string | undefined][] = [
    ['terms of the data', dataTerms],
    ['consent', consentReference],
    ['person', pseudonym],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined);
}
