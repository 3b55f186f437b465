// Builds the page of packages/web and serves it on this computer alone, or leaves it as a folder for any static host.
//   npm run page                       build, serve, print the address
//   npm run page -- --port 8080
//   npm run page -- --build [FOLDER]   build only
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { preview, runnerImport } from 'vite';

const root = path.resolve(fileURLToPath(import.meta.url), '..', '..');
const usage = 'npm run page -- [--port N] [--build [FOLDER]]';

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: { build: { type: 'boolean' }, port: { type: 'string' } },
      allowPositionals: true,
    });
    const port = Number(values.port ?? 4173);
    const whole = Number.isInteger(port) && port >= 0 && port < 65_536;
    if (!whole || positionals.length > (values.build ? 1 : 0)) throw new Error('not understood');
    return { folder: positionals[0], only: values.build === true, port };
  } catch (error) {
    console.error(`${error.message}\nusage: ${usage}`);
    process.exit(2);
  }
}

/** A folder that is built into is emptied first: only the page itself, or nothing, may be in it. */
function refuseForeign(target) {
  if (!existsSync(target) || readdirSync(target).length === 0) return;
  const index = path.join(target, 'index.html');
  if (existsSync(index) && readFileSync(index, 'utf8').includes('<title>fmri2image:')) return;
  console.error(`${target} exists and is not the page: name an empty folder`);
  process.exit(1);
}

const { folder, only, port } = readArguments();
const outDir = folder ? path.resolve(folder) : path.join(root, 'packages', 'web', 'page', 'dist');
if (folder) refuseForeign(outDir);
const { module } = await runnerImport(path.join(root, 'packages', 'web', 'page', 'build.ts'), {
  resolve: { conditions: ['f2i-source', 'module', 'import', 'default'] },
  logLevel: 'warn',
});
await module.buildPage(outDir, path.join(root, '.f2i', 'page-demo'), (line) => console.error(line));
if (only) {
  console.log(
    `The page is in ${path.relative('.', outDir) || '.'}: copy it to any static host (https, or localhost).`,
  );
} else {
  const server = await preview({
    configFile: false,
    root: path.dirname(outDir),
    build: { outDir },
    preview: { host: '127.0.0.1', port, open: false },
    logLevel: 'warn',
  });
  console.log(`The page is at ${server.resolvedUrls.local[0]} (only on this computer; Ctrl-C ends it)`);
}
