import { PUBLISHED_MODELS, type PublishedModel, publishedModel } from '@fmri2image/core';
import type { Command } from 'commander';
import { createConsole } from '../console.ts';

export function modelsCommand(program: Command): void {
  program
    .command('models')
    .summary('list the published models whose weights can be used, and where they are')
    .description(
      'Lists published models: the repository of the code, the file, its size, its licence, the terms of the data it was trained on, and the command that converts it. Nothing is downloaded. No result here has been verified on NSD yet.',
    )
    .argument('[model]', 'only this one')
    .option('--json', 'print the result as one JSON object')
    .action((model: string | undefined, options: { json?: boolean }) => {
      const console = createConsole(options);
      const rows = model === undefined ? PUBLISHED_MODELS : [publishedModel(model)];
      console.result({ models: rows });
      console.print(rows.map((row) => describeModel(row).join('\n')).join('\n\n'));
    });
}

/** What is known of a model, line by line. */
export function describeModel(row: PublishedModel): string[] {
  const facts: [string, string][] = [
    ['repository', row.repository],
    ['download', row.download],
    ['file', row.file],
    ['size', `${row.size} (${millions(row.parameters)} parameters)`],
    ['licence', `${row.licence} (of the code; the file states none)`],
    ['data', row.dataTerms],
    ['paper', row.paper],
    ['convert', row.convert ?? 'not yet'],
  ];
  return [`${row.model}: ${row.what}`, ...facts.map(([what, text]) => `  ${what.padEnd(11)}${text}`)];
}

const millions = (count: number) => `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} million`;
