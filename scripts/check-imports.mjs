#!/usr/bin/env node
// Imports go one way: core -> nothing; node and web -> core; cli -> core, node; benchmarks -> all; nothing ->
// benchmarks; conformance only from tests and benchmarks. Lists every import that breaks this and exits with 1.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = path.resolve(fileURLToPath(import.meta.url), '..', '..');
const CORE = '@fmri2image/core';
const NODE = '@fmri2image/node';
const CONFORMANCE = `${CORE}/conformance`;

/**
 * What the sources of each folder may import: `ours` among the packages of this repository, `builtins` of Node,
 * `folders` by relative paths (their own is always allowed). Packages from outside must be declared.
 */
const rules = [
  { folder: 'packages/core/src', ours: [], pure: true },
  { folder: 'packages/core/conformance', ours: [], folders: ['packages/core/src'], pure: true },
  { folder: 'packages/node/src', ours: [CORE], builtins: true },
  { folder: 'packages/web/src', ours: [CORE] },
  { folder: 'packages/web/page/src', ours: [CORE, '@fmri2image/web'], development: true },
  { folder: 'packages/web/page/demo', ours: [CORE] },
  { folder: 'packages/cli/src', ours: [CORE, NODE], builtins: true },
  { folder: 'examples', ours: [CORE, NODE], builtins: true },
  { folder: 'benchmarks/src', ours: 'all', folders: ['benchmarks'], builtins: true, development: true },
  ...['core', 'node', 'web', 'cli'].map((name) => ({
    folder: `packages/${name}/test`,
    ours: 'all',
    folders: [`packages/${name}`],
    builtins: true,
    development: true,
  })),
];

/** Globals of one runtime only, which pure code cannot use. */
const RUNTIME_GLOBALS = ['process', 'Buffer', 'document', 'window', '__dirname', '__filename', 'require'];

const SKIPPED = new Set(['node_modules', 'dist', 'fixtures']);

function* sources(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) yield* sources(full);
    else if (/\.(ts|mts|js|mjs)$/.test(entry.name)) yield full;
  }
}

/** Dependencies that a file may import: those of the nearest package.json, and of the root for development. */
function declared(file, development) {
  const manifests = [path.join(root, 'package.json')];
  for (let folder = path.dirname(file); folder !== root; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) manifests.push(manifest);
  }
  const kinds = ['dependencies', 'peerDependencies', 'optionalDependencies'];
  if (development) kinds.push('devDependencies');
  return new Set(
    manifests.flatMap((manifest) => {
      const json = JSON.parse(readFileSync(manifest, 'utf8'));
      return kinds.flatMap((kind) => Object.keys(json[kind] ?? {}));
    }),
  );
}

/** `@scope/name/sub` to `@scope/name`. */
function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Why a file under a rule may not import the specifier, if so. */
function objection(rule, file, specifier) {
  if (specifier.startsWith('.')) {
    const target = path.relative(root, path.resolve(path.dirname(file), specifier));
    const allowed = [rule.folder, ...(rule.folders ?? [])];
    if (allowed.some((folder) => target.startsWith(`${folder}/`))) return undefined;
    if (rule.development && !target.startsWith('packages/') && !target.startsWith('benchmarks/'))
      return undefined;
    return 'a path that leaves its package';
  }
  if (specifier.startsWith('node:') || builtinModules.includes(specifier)) {
    return rule.builtins ? undefined : 'a module of Node';
  }
  if (specifier === CONFORMANCE && !rule.development) return 'conformance, which is for tests and benchmarks';
  const name = packageOf(specifier);
  // The prebuilt binaries of a package are its own.
  const prebuilt = rule.folder === 'packages/node/src' && name.startsWith(`${NODE}-`);
  if (name.startsWith('@fmri2image/') && !prebuilt) {
    return rule.ours === 'all' || rule.ours.includes(name) ? undefined : `${name}, against the direction`;
  }
  return declared(file, rule.development).has(name) ? undefined : `${name}, which its package.json lacks`;
}

/** Names of runtime globals that the text uses as values: `process.env`, `require(...)`. */
function runtimeGlobals(text) {
  const found = new Set();
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, text);
  let previous = ts.SyntaxKind.Unknown;
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    const name = scanner.getTokenText();
    if (RUNTIME_GLOBALS.includes(name) && previous !== ts.SyntaxKind.DotToken) {
      const next = scanner.lookAhead(() => scanner.scan());
      if (next === ts.SyntaxKind.DotToken || next === ts.SyntaxKind.OpenParenToken) found.add(name);
    }
    previous = kind;
  }
  return found;
}

let files = 0;
const offences = [];
for (const rule of rules) {
  for (const file of sources(path.join(root, rule.folder))) {
    files++;
    const text = readFileSync(file, 'utf8');
    const where = path.relative(root, file);
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      const why = objection(rule, file, fileName);
      if (why) offences.push(`${where}: imports ${JSON.stringify(fileName)} (${why})`);
    }
    if (!rule.pure) continue;
    for (const name of runtimeGlobals(text))
      offences.push(`${where}: uses ${name}, which only some runtimes have`);
  }
}
for (const offence of offences) console.error(offence);
console.log(`${files} files, ${offences.length} imports against the direction`);
process.exit(offences.length > 0 ? 1 : 0);
