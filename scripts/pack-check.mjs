// Packs every publishable package, installs the tarballs in an empty folder, as a user would, and runs them there.
// `--keep` leaves the folder for a look. Expects built packages: `npm test` builds them first.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const folders = [
  'packages/core',
  'packages/node',
  'packages/node/npm/linux-x64',
  'packages/web',
  'packages/cli',
];
// Built by nvcc, where somebody asked for it (npm run build:cuda).
const cuda = 'packages/node/npm/linux-x64-cuda';
if (existsSync(path.join(root, cuda, 'libf2i_cuda.so'))) folders.push(cuda);
/** Scripts that npm runs when somebody installs the package. */
const installScripts = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare'];

const temporary = mkdtempSync(path.join(os.tmpdir(), 'f2i-pack-'));
const tarballs = path.join(temporary, 'tarballs');
const project = path.join(temporary, 'project');
mkdirSync(tarballs);
mkdirSync(project);

let failures = 0;
/** Runs one check and prints its outcome; a check fails by throwing. */
function check(label, body) {
  try {
    const note = body();
    console.log(`pass  ${label}${note ? ` (${note})` : ''}`);
  } catch (error) {
    failures++;
    console.log(`FAIL  ${label}\n      ${String(error.message).trim().replaceAll('\n', '\n      ')}`);
  }
}

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    timeout: 300_000,
    ...options,
  });
  if (error) throw error;
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: exit status ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** A script in the user's folder. */
const script = (source) => run(process.execPath, ['--input-type=module', '--eval', source], { cwd: project });

// ---- what is packed ---------------------------------------------------------------------------------------------

const packages = folders.map((folder) => {
  const manifest = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
  return { folder, manifest, name: manifest.name, tarball: '', files: [] };
});

check('packages pack', () => {
  for (const each of packages) {
    const [packed] = JSON.parse(
      run('npm', ['pack', '--json', '--pack-destination', tarballs], { cwd: path.join(root, each.folder) }),
    );
    each.tarball = path.join(tarballs, packed.filename);
    each.files = packed.files.map((file) => file.path);
  }
  const bytes = packages.reduce((sum, { tarball }) => sum + statSync(tarball).size, 0);
  return `${packages.length} tarballs, ${(bytes / 1e6).toFixed(1)} MB`;
});

check('no package runs anything when it is installed', () => {
  for (const { name, manifest, files } of packages) {
    const found = installScripts.filter((key) => manifest.scripts?.[key]);
    if (found.length > 0) throw new Error(`${name}: script ${found.join(', ')}`);
    if (files.includes('binding.gyp')) throw new Error(`${name}: binding.gyp would make npm compile`);
  }
});

check('what the packages export and start is packed', () => {
  for (const { name, manifest, files } of packages) {
    const paths = [...exported(manifest.exports ?? {}), ...Object.values(manifest.bin ?? {})];
    const missing = paths
      .map((entry) => path.posix.normalize(entry))
      .filter((entry) => !files.includes(entry));
    if (missing.length > 0) throw new Error(`${name}: ${missing.join(', ')}`);
  }
});

/** Files behind the conditions that users meet; `f2i-source` is for this repository alone. */
function* exported(entry) {
  if (typeof entry === 'string') yield entry;
  else for (const [key, value] of Object.entries(entry)) if (key !== 'f2i-source') yield* exported(value);
}

check('versions agree', () => {
  const versions = new Map(packages.map(({ name, manifest }) => [name, manifest.version]));
  for (const { name, manifest } of packages) {
    const needs = {
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    };
    for (const [dependency, wanted] of Object.entries(needs)) {
      const found = versions.get(dependency);
      if (found !== undefined && found !== wanted) {
        throw new Error(`${name} needs ${dependency} ${wanted}, which is ${found} here`);
      }
    }
  }
});

// ---- what a user gets -------------------------------------------------------------------------------------------

check('they install in an empty folder', () => {
  const dependencies = Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`]));
  writeFileSync(
    path.join(project, 'package.json'),
    JSON.stringify({ name: 'empty', private: true, type: 'module', dependencies }, null, 2),
  );
  // Without scripts, because none may be needed: neither ours nor those of what we depend on.
  run(
    'npm',
    ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: project,
    },
  );
  const linked = packages.filter(
    ({ name }) => !existsSync(path.join(project, 'node_modules', name, 'package.json')),
  );
  if (linked.length > 0) throw new Error(`not installed: ${linked.map(({ name }) => name).join(', ')}`);
});

check('no packed file names a folder of this machine', () => {
  const needle = Buffer.from(`${root}${path.sep}`);
  for (const { name } of packages) {
    for (const file of filesIn(path.join(project, 'node_modules', name))) {
      if (readFileSync(file).includes(needle))
        throw new Error(`${path.relative(project, file)} contains ${needle}`);
    }
  }
});

function* filesIn(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const child = path.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') yield* filesIn(child);
    else if (entry.isFile()) yield child;
  }
}

check('@fmri2image/core computes', () =>
  script(`
    import { ReferenceBackend, gemm } from '@fmri2image/core';
    const backend = new ReferenceBackend();
    const [y] = await gemm(backend.tensor([1, 2], [1, 2]), backend.tensor([3, 4], [2, 1])).download();
    if (y !== 11) throw new Error('expected 11, found ' + y);
    await backend.dispose();
  `),
);

check('@fmri2image/node computes on the CPU', () =>
  script(`
    import { createBackend, createRandom, gemm } from '@fmri2image/node';
    const backend = await createBackend();
    if (backend.info.device !== 'cpu') throw new Error('expected cpu, found ' + backend.info.device);
    const [m, k, n] = [37, 211, 53];
    const a = Float32Array.from(createRandom(1).normals(m * k));
    const b = Float32Array.from(createRandom(2).normals(k * n));
    const y = await gemm(backend.tensor(a, [m, k]), backend.tensor(b, [k, n])).download();
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a[i * k + p] * b[p * n + j];
        if (!(Math.abs(sum - y[i * n + j]) < 1e-3)) throw new Error('wrong product at ' + i + ', ' + j);
      }
    }
    await backend.dispose();
    process.stdout.write(backend.info.description);
  `),
);

check('a decoder opens from a bundle, here and in a worker thread', () =>
  script(`
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { Worker } from 'node:worker_threads';
    import { keptBundle, keptPictures, PICTURE_TOLERANCE } from '@fmri2image/core/conformance';
    import { loadDecoder } from '@fmri2image/node';
    const folder = keptBundle('ridge_v1');
    mkdirSync('bundle');
    for (const name of await folder.list()) {
      const source = await folder.open(name);
      writeFileSync('bundle/' + name, await source.read(0, source.size));
    }
    const { betas, pictures } = keptPictures('ridge_v1');
    const worker = new Worker(new URL(import.meta.resolve('@fmri2image/node/worker')), { execArgv: [] });
    for (const where of [{}, { worker }]) {
      const decoder = await loadDecoder('bundle', where);
      const values = await decoder.predict(betas);
      const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - pictures[i])), 0);
      if (!(worst < PICTURE_TOLERANCE)) throw new Error('pictures differ by ' + worst);
      for await (const { trial, image } of decoder.reconstruct(betas, { trials: [2] })) {
        await image.writePng('trial-' + trial + '.png', { force: true });
      }
      await decoder.dispose();
    }
    await worker.terminate();
  `),
);

check('@fmri2image/web imports in Node, and opens a decoder on the reference', () =>
  script(`
    import { keptBundle, keptPictures } from '@fmri2image/core/conformance';
    import { createWebBackend, loadDecoder } from '@fmri2image/web';
    import '@fmri2image/web/worker'; // serves nobody where there is no page
    if (typeof createWebBackend !== 'function') throw new Error('createWebBackend is missing');
    const decoder = await loadDecoder(keptBundle('ridge_v1'), { device: 'reference' });
    const [rejected] = decoder.backend.info.rejected;
    if (rejected?.device !== 'webgpu') throw new Error('no word of the missing WebGPU');
    await decoder.predict(keptPictures('ridge_v1').betas);
    await decoder.dispose();
  `),
);

check('install sizes', () => {
  const modules = path.join(project, 'node_modules');
  /** The packages that installing one brings, by following dependencies where npm put them. */
  const closure = (name, found = new Set()) => {
    const manifest = path.join(modules, name, 'package.json');
    if (found.has(name) || !existsSync(manifest)) return found;
    found.add(name);
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) closure(each, found);
    return found;
  };
  const installed = (name) => {
    let bytes = 0;
    for (const file of filesIn(path.join(modules, name))) bytes += statSync(file).size;
    return bytes;
  };
  const megabytes = (bytes) => (bytes / 1e6).toFixed(2);
  const rows = packages.map(({ name, tarball }) => {
    const all = [...closure(name)].reduce((sum, each) => sum + installed(each), 0);
    return `${name}: packed ${megabytes(statSync(tarball).size)} MB, installed with all it needs ${megabytes(all)} MB`;
  });
  return `\n      ${rows.join('\n      ')}\n      `;
});

check('types resolve and hold', () => {
  writeFileSync(
    path.join(project, 'user.ts'),
    `import { Worker as Thread } from 'node:worker_threads';
     import { type Backend, createBackend, gemm, type LoadedDecoder, loadDecoder, type Tensor } from '@fmri2image/node';
     import { ReferenceBackend } from '@fmri2image/core';
     import * as web from '@fmri2image/web';
     import '@fmri2image/web/worker';
     declare const canvas: CanvasRenderingContext2D;
     declare const files: FileList;
     declare const folder: FileSystemDirectoryHandle;
     declare const save: FileSystemFileHandle;
     const pageWorker = new Worker('worker.js', { type: 'module' });
     const decoders: LoadedDecoder[] = [
       await loadDecoder('bundle', { device: 'cpu', worker: new Thread('worker.js') }),
       await web.loadDecoder(files, { worker: pageWorker }),
       await web.loadDecoder(folder, { device: 'webgpu' }),
     ];
     for await (const { image } of decoders[0]!.reconstruct({ data: new Float32Array(2), shape: [1, 2] })) {
       if (!image) continue;
       canvas.putImageData(image.toImageData(), 0, 0);
       await image.writePng('x.png', { force: true });
       await image.writePng(save);
       URL.createObjectURL(await image.writePng());
     }
     const backend: Backend = await createBackend({ device: 'cpu', threads: 2, isa: 'avx2', memoryLimit: 1e9 });
     const other: Backend = new ReferenceBackend();
     const y: Tensor = gemm(backend.zeros([2, 3]), backend.zeros([3, 4]), { alpha: 2 });
     // @ts-expect-error: not a device
     await createBackend({ device: 'tpu' });
     export { other, web, y };`,
  );
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const types = path.join(root, 'node_modules', '@types');
  const webgpu = path.join(root, 'node_modules', '@webgpu', 'types');
  run(
    process.execPath,
    [tsc, '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', 'false']
      .concat([
        '--lib',
        // What an application has at least; our types bring what they need beyond it.
        'es2022,dom,dom.iterable',
        '--typeRoots',
        types,
        '--types',
        `node,${webgpu}`,
      ])
      .concat('user.ts'),
    { cwd: project },
  );
});

const cli = (...args) => run('npx', ['--no-install', 'fmri2image', ...args], { cwd: project });
check('fmri2image --version', () => {
  const { manifest } = packages.find(({ name }) => name === 'fmri2image');
  const found = cli('--version').trim();
  if (found !== manifest.version) throw new Error(`expected ${manifest.version}, found ${found}`);
  return found;
});
check('fmri2image doctor', () => {
  cli('doctor');
});

check('without the native package the error names it and the remedy', () => {
  const name = `@fmri2image/node-${process.platform}-${process.arch}`;
  rmSync(path.join(project, 'node_modules', name), { recursive: true });
  const message = script(`
    import { createBackend } from '@fmri2image/node';
    await createBackend({ device: 'cpu' }).then(
      () => { throw new Error('a backend without its native core'); },
      (error) => process.stdout.write(error.code + ' ' + error.message),
    );
  `);
  for (const part of [
    'USAGE',
    name,
    `npm install --include=optional ${name}`,
    `${process.platform}-${process.arch}`,
  ]) {
    if (!message.includes(part)) throw new Error(`"${part}" is missing in: ${message}`);
  }
});

// -----------------------------------------------------------------------------------------------------------------

if (process.argv.includes('--keep')) console.log(`kept: ${temporary}`);
else rmSync(temporary, { recursive: true, force: true });
console.log(failures === 0 ? 'packages install and run' : `${failures} of the checks failed`);
process.exit(failures === 0 ? 0 : 1);
