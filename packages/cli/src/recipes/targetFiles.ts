import { existsSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { usage } from '../options.ts';
import { TARGETS, type Targets } from '../pipeline/targets.ts';
import type { TargetFile } from './plan.ts';

/** What `--targets` says: what a study has, or files of features by name. */
export type TargetsOption = Targets | readonly TargetFile[];

/** `stimuli`, `labels`, or NAME=FILE[:ARRAY], which may be given several times. */
export function targetsOption(text: string, before: TargetsOption): TargetsOption {
  const known = TARGETS.find((name) => name === text);
  const files = typeof before === 'string' ? [] : before;
  const [, name, path] = /^([^=/]+)=(.+)$/.exec(text) ?? [];
  if (known !== undefined && files.length === 0) return known;
  if (name === undefined || path === undefined) {
    throw new InvalidArgumentError(`expected ${TARGETS.join(', ')}, or NAME=FILE[:ARRAY]`);
  }
  if (files.some((file) => file.name === name)) throw new InvalidArgumentError(`${name} is given twice`);
  return [...files, { name, ...placeOf(path) }];
}

/** `features.h5:clip` is the array clip of that file, unless a file has that whole name; `C:x.npy` is a file of drive C. */
function placeOf(text: string): Pick<TargetFile, 'path' | 'array'> {
  const [, path, array] = /^(.{2,}):([^:\\]+)$/.exec(text) ?? [];
  return path === undefined || existsSync(text) ? { path: text } : { path, array };
}

/** @throws USAGE for files of features, where a study's own targets are meant */
export function ownTargets(targets: TargetsOption): Targets {
  if (typeof targets === 'string') return targets;
  throw usage(
    `--targets ${targets[0]!.name}=${targets[0]!.path}: files of features need --recipe in fit, and --reconstructions in evaluate and report`,
  );
}

/** @throws USAGE where there are none */
export function targetFiles(targets: TargetsOption): readonly TargetFile[] {
  if (typeof targets !== 'string') return targets;
  throw usage('--recipe needs the features of the pictures: --targets NAME=FILE[:ARRAY], once for each head');
}
