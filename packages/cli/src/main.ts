#!/usr/bin/env node
import { VERSION } from '@fmri2image/core';
import { Help } from 'commander';
import { alignCommand } from './commands/align.ts';
import { benchCommand } from './commands/bench.ts';
import { convertCommand } from './commands/convert.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { exportCommand } from './commands/export.ts';
import { fitCommand } from './commands/fit.ts';
import { inspectCommand } from './commands/inspect.ts';
import { mapsCommand } from './commands/maps.ts';
import { modelsCommand } from './commands/models.ts';
import { recipesCommand } from './commands/recipes.ts';
import { reconstructCommand } from './commands/reconstruct.ts';
import { reportCommand } from './commands/report.ts';
import { simulateCommand } from './commands/simulate.ts';
import { verifyCommand } from './commands/verify.ts';
import { EXIT, report } from './exit.ts';
import { SuggestingCommand } from './suggesting.ts';

async function main(): Promise<number> {
  const verbose = process.argv.includes('--verbose');
  const program = new SuggestingCommand('fmri2image')
    .description('From a file of brain responses to the pictures that the person saw.')
    .version(VERSION)
    .option('--verbose', 'say more about errors')
    .showSuggestionAfterError(false)
    .showHelpAfterError('(fmri2image --help lists the commands)')
    .configureHelp({
      optionDescription(option) {
        const text = Help.prototype.optionDescription.call(this, option);
        return option.mandatory && option.defaultValue === undefined ? `${text} (required)` : text;
      },
    })
    .exitOverride();
  for (const add of [
    demoCommand,
    simulateCommand,
    inspectCommand,
    fitCommand,
    alignCommand,
    reconstructCommand,
    evaluateCommand,
    reportCommand,
    mapsCommand,
    exportCommand,
    convertCommand,
    modelsCommand,
    recipesCommand,
    verifyCommand,
    doctorCommand,
    benchCommand,
  ]) {
    add(program);
  }
  for (const command of program.commands) {
    command.showHelpAfterError(`(fmri2image ${command.name()} --help lists its options)`);
  }
  // A command without arguments shows what there is, and says that nothing was done.
  if (process.argv.length <= 2) {
    program.outputHelp({ error: true });
    return EXIT.usage;
  }
  try {
    await program.parseAsync();
    // A command may have an answer that is no failure: `inspect --diff`.
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return report(error, verbose);
  }
}

// A reader that closes the pipe early (head) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  process.stderr.write(`fmri2image: the output cannot be written: ${error.message}\n`);
  process.exit(EXIT.failed);
});

process.exitCode = await main();
