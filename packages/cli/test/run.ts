import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

export const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..', '..');
const main = join(root, 'packages', 'cli', 'dist', 'main.js');

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built command line, as a user would. */
export function start(
  args: readonly string[],
  cwd?: string,
  env?: Readonly<Record<string, string>>,
): { child: ChildProcess; done: Promise<Outcome> } {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (piece) => {
    stdout += piece;
  });
  child.stderr!.on('data', (piece) => {
    stderr += piece;
  });
  const done = new Promise<Outcome>((settle, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => settle({ code, signal, stdout, stderr }));
  });
  return { child, done };
}

export const run = (args: readonly string[], cwd?: string, env?: Readonly<Record<string, string>>) =>
  start(args, cwd, env).done;

/** Waits until a command has come as far as `isThere` says, or has ended. */
export async function reached(child: ChildProcess, isThere: () => boolean): Promise<void> {
  while (child.exitCode === null && child.signalCode === null && !isThere()) await wait(2);
}

/** Waits until a command has said something on its standard error, or has ended. */
export async function said(child: ChildProcess, what: string): Promise<void> {
  let text = '';
  child.stderr!.on('data', (piece) => {
    text += piece;
  });
  await reached(child, () => text.includes(what));
}

/** A folder that goes when the tests of the file are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fmri2image-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
