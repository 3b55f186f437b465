import os from 'node:os';
import { createRandom, createReferenceBackend, F2iError, gemm, VERSION } from '@fmri2image/core';
import { type BackendOptions, createBackend, listGpus } from '@fmri2image/node';
import type { Command } from 'commander';
import { createConsole } from '../console.ts';

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .summary('say what works here and what is missing')
    .description('Checks the machine and each device, and computes a small product on each against float64.')
    .option('--json', 'print the result as one JSON object')
    .action(async (options: { json?: boolean }) => {
      const console = createConsole(options);
      const findings = [
        ...machine(),
        await device('cpu'),
        ...(await gpus()),
        await device('webgpu'),
        await device('reference'),
      ];
      console.result({ version: VERSION, findings });
      console.print(`fmri2image ${VERSION}`);
      for (const { what, ok, detail } of findings)
        console.print(`${ok ? 'ok  ' : 'no  '} ${what}: ${detail}`);
      const cpu = findings.find(({ what }) => what === 'cpu')!;
      if (!cpu.ok)
        throw new F2iError('UNSUPPORTED', 'the native core does not work here; the reference device does');
    });
}

function machine(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const memory = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    {
      what: 'node',
      ok: major > 20 || (major === 20 && minor >= 19),
      detail: `${process.versions.node} (20.19 or newer)`,
    },
    {
      what: 'system',
      ok: true,
      detail: `${process.platform} ${process.arch}, ${os.cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
    },
    { what: 'cores', ok: true, detail: `${os.availableParallelism()} usable` },
    { what: 'memory', ok: true, detail: `${memory(os.freemem())} free of ${memory(os.totalmem())}` },
  ];
}

/** Each GPU that CUDA knows, or what is missing for one. */
async function gpus(): Promise<Finding[]> {
  try {
    const findings: Finding[] = [];
    for (const { index } of listGpus()) findings.push(await device('cuda', index));
    return findings;
  } catch (error) {
    return [{ what: 'cuda', ok: false, detail: error instanceof Error ? error.message : String(error) }];
  }
}

/** Opens a device and lets it compute something that is known. */
async function device(device: BackendOptions['device'] & string, index?: number): Promise<Finding> {
  const name = index === undefined ? device : `${device}:${index}`;
  try {
    const backend = await createBackend({ device, index });
    try {
      const error = await productError(backend);
      return {
        what: name,
        ok: error < 1e-5,
        detail: `${backend.info.description}; a product is right to ${error.toExponential(1)}`,
      };
    } finally {
      await backend.dispose();
    }
  } catch (error) {
    return { what: name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

/** Largest error of a 37 x 53 by 53 x 29 product, relative to its largest entry. */
async function productError(backend: Awaited<ReturnType<typeof createBackend>>): Promise<number> {
  const random = createRandom(1);
  const a = Float32Array.from(random.normals(37 * 53));
  const b = Float32Array.from(random.normals(53 * 29));
  const reference = createReferenceBackend();
  const [found, expected] = await Promise.all(
    [backend, reference].map((device) =>
      gemm(device.tensor(a, [37, 53]), device.tensor(b, [53, 29])).download(),
    ),
  );
  await reference.dispose();
  const largest = Math.max(...(expected as Float32Array).map(Math.abs));
  let worst = 0;
  for (let i = 0; i < expected!.length; i++)
    worst = Math.max(worst, Math.abs(found![i]! - expected![i]!) / largest);
  return worst;
}
