import { F2iError } from '@fmri2image/core';
import type { BackendOptions } from '@fmri2image/node';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { sizeInBytes } from './sizes.ts';

/** `cuda` is the first GPU, `cuda:1` the second. */
export type Device = 'auto' | 'cpu' | 'reference' | 'cuda' | `cuda:${number}`;

/** Options of every command that computes. */
export interface DeviceOptions {
  device: Device;
  threads?: number;
  /** Bytes. */
  memory?: number;
  json?: boolean;
  quiet?: boolean;
}

export function withDevice(command: Command): Command {
  return command
    .optionsGroup('Device and output:')
    .addOption(
      new Option(
        '--device <name>',
        'where to compute: auto, cpu, cuda (the first GPU), cuda:1 (the second), reference',
      )
        .argParser(deviceName)
        .default('auto'),
    )
    .option('--threads <n>', 'threads of the CPU (default: all cores)', wholeNumber)
    .option(
      '--memory <size>',
      'ceiling of the memory for computing: 3GB, 512MiB; a number alone is of MiB',
      sizeInBytes,
    )
    .option('--json', 'print the result as one JSON object')
    .option('--quiet', 'show no progress');
}

export function backendOptions({ device, threads, memory }: DeviceOptions): BackendOptions {
  const [name, index] = device.split(':') as ['auto' | 'cpu' | 'cuda' | 'reference', string | undefined];
  return {
    device: name,
    threads,
    memoryLimit: memory,
    index: index === undefined ? undefined : Number(index),
  };
}

function deviceName(text: string): Device {
  if (!/^(auto|cpu|reference|cuda(:\d{1,4})?)$/.test(text)) {
    throw new InvalidArgumentError('expected auto, cpu, cuda, cuda: and the number of a GPU, or reference');
  }
  return text as Device;
}

/** @param what the argument is, where it may be more than a study */
export function withStudy(command: Command, what = 'a study.json, or the folder that holds one'): Command {
  return command
    .argument('<study>', what)
    .option('--data <folder>', 'folder of the paths that begin with "data:"');
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('expected a whole number above 0');
  return value;
}

export function seedNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('expected a whole number');
  return value;
}

export function numberList(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  const values = parts.map(Number);
  if (parts.includes('') || values.some((value) => !Number.isFinite(value))) {
    throw new InvalidArgumentError('expected numbers separated by commas');
  }
  return values;
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('expected a number above 0');
  }
  return value;
}

export function textList(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}

export function usage(message: string): F2iError {
  return new F2iError('USAGE', message);
}
