import { InvalidArgumentError } from 'commander';
import { usage } from '../options.ts';
import { TARGETS, type Targets } from '../pipeline/targets.ts';
import type { TargetFile } from './plan.ts';

/** What `--targets` says: what a study has, or files of features by name. */
export type TargetsOption = Targets | readonly TargetFile[];

/** `stimuli`, `labels`, or NAME=FILE, which may be given several times. */
export function targetsOption(text: string, before: TargetsOption): TargetsOption {
  const known = TARGETS.find((name) => name === text);
  const files = typeof before === 'string' ? [] : before;
  const [, name, path] = /^([^=/]+)=(.+)$/.exec(text) ?? [];
  if (known !== undefined && files.length === 0) return known;
  if (name === undefined || path === undefined) {
    throw new InvalidArgumentError(`expected ${TARGETS.join(', ')}, or NAME=FILE`);
  }
  if (files.some((file) => file.name === name)) throw new InvalidArgumentError(`${name} is given twice`);
  return [...files, { name, path }];
}

/** @throws USAGE for files of features, where a study's own targets are meant */
export function ownTargets(targets: TargetsOption): Targets {
  if (typeof targets === 'string') return targets;
  throw usage(
    `--targets ${targets[0]!.name}=${targets[0]!.path}: files of features are for fit --recipe, and for evaluate and report of what it made`,
  );
}

/** @throws USAGE where there are none */
export function targetFiles(targets: TargetsOption): readonly TargetFile[] {
  if (typeof targets !== 'string') return targets;
  throw usage('--recipe needs the features of the pictures: --targets NAME=FILE, once for each head');
}
