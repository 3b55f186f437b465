import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '@fmri2image/core';

/** What ran: the processor, and what our backend makes of it. */
export function deviceOf({ info }: Backend): string {
  return `${os.cpus()[0]?.model ?? 'unknown CPU'}, ${os.availableParallelism()} cores; ${info.description}`;
}

/** The commit of the sources that are measured. */
export function commit(): string {
  try {
    const cwd = dirname(fileURLToPath(import.meta.url));
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Our version, as the package.json in a folder has it. */
export function version(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}
