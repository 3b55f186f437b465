import { CONVERTED_KINDS } from '@fmri2image/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { usage } from '../options.ts';
import { REPEATS, type Repeats } from '../pipeline/repeats.ts';

/** As `Precision` of core; spelt out for the help. */
const PRECISIONS = ['f32', 'f16', 'bf16', 'autocast-f16'] as const;

/** Options that bundles of published models alone know. */
export interface ConvertedFlags {
  model?: string;
  stage?: string;
  precision?: (typeof PRECISIONS)[number];
  repeats?: Repeats;
  seed?: number;
  noise?: string;
  subject?: number;
  restart?: boolean;
}

const FLAGS: readonly (keyof ConvertedFlags)[] = [
  'model',
  'stage',
  'precision',
  'repeats',
  'seed',
  'noise',
  'subject',
  'restart',
];

/** Options that say how a published model runs: those of `reconstruct`, and of `verify`. */
export function withRun(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--precision <type>',
        'of a published model: type of its matrices (default: as stored), or autocast-f16: half precision of PyTorch on a GPU, emulated, not verified against a GPU run',
      ).choices([...PRECISIONS]),
    )
    .option(
      '--subject <n>',
      'of a published model of several subjects: whose layer to use, from 0 as in its file; of a recipe: the subject of NSD (default: the one it was fitted on)',
      countFromZero,
    )
    .option('--restart', 'throw away what an unfinished run of a published model left');
}

export function withConverted(command: Command): Command {
  command
    .addOption(
      new Option('--model <name>', 'check that the bundle is of this published model').choices([
        ...CONVERTED_KINDS,
      ]),
    )
    .option(
      '--stage <name>',
      'of a published model: how far to go; MindEye2: tokens (default), blurry, prior',
    )
    .addOption(
      new Option(
        '--repeats <how>',
        'of a published model: each trial by itself, outputs averaged over all repeats of a stimulus (as --average), or as published: over three',
      ).choices([...REPEATS]),
    )
    .option('--seed <n>', 'of the noise of a prior (default: 0)', countFromZero)
    .option('--noise <file>', 'recorded noise of a prior instead (safetensors or npz: initial, steps)');
  return withRun(command);
}

/** A fitted decoder has no stages: an option that would be left out silently is an error. */
export function refuseConvertedFlags(kind: string, options: ConvertedFlags): void {
  const given = FLAGS.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  throw usage(
    `--${given} is for bundles of published models (${CONVERTED_KINDS.join(', ')}); this is a ${kind} decoder`,
  );
}

function countFromZero(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('expected a whole number, 0 or more');
  return value;
}
