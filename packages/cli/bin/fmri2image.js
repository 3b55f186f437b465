#!/usr/bin/env node
// In the repository from the start, so that npm links the command before anything is built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error('fmri2image: not built yet; run "npm start" in the repository');
  process.exitCode = 1;
}
