import os from 'node:os';
import { bytesInWords, createReferenceBackend, F2iError, VERSION } from '@fmri2image/core';
import { type BackendOptions, createBackend, surveyGpus } from '@fmri2image/node';
import type { Command } from 'commander';
import { createConsole } from '../console.ts';
import { type Checked, checkWork, prepareWork, realWork, SMALL } from '../doctor/products.ts';

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What a device computed, and how long the CPU took for it where that is told. */
  readonly products?: readonly (Checked & { readonly cpuMilliseconds?: number | undefined })[];
}

export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .summary('say what works here and what is missing')
    .description(
      'Checks the machine and each device, and computes a product on each against float64. Where there is a GPU, it and the ' +
        'CPU also do what ridge regression and MindEye do most of the time, and the times of both are told.',
    )
    .option('--quick', 'compute one small product on each device and no more')
    .option('--json', 'print the result as one JSON object')
    .action(async (options: { quick?: boolean; json?: boolean }) => {
      const console = createConsole(options);
      const findings = [...machine(), ...(await devices(options.quick ?? false))];
      console.result({ version: VERSION, findings });
      console.print(`fmri2image ${VERSION}`);
      for (const { what, ok, detail, products = [] } of findings) {
        console.print(`${ok ? 'ok  ' : 'no  '} ${what}: ${detail}`);
        for (const { what, milliseconds, cpuMilliseconds } of products) {
          if (cpuMilliseconds === undefined) continue;
          console.print(`       ${what}: ${inMs(milliseconds)} (cpu ${inMs(cpuMilliseconds)})`);
        }
      }
      const cpu = findings.find(({ what }) => what === 'cpu')!;
      if (!cpu.ok)
        throw new F2iError('UNSUPPORTED', 'the native core does not work here; the reference device does');
    });
}

async function devices(quick: boolean): Promise<Finding[]> {
  const reference = createReferenceBackend();
  const small = await prepareWork(reference, [SMALL]);
  await reference.dispose();
  let checks = small;
  let cpu = await device('cpu', small);
  if (!quick && cpu.ok && hasGpu()) {
    const exact = await createBackend({ device: 'cpu' });
    checks = [...small, ...(await prepareWork(exact, realWork()))];
    await exact.dispose();
    cpu = await device('cpu', checks);
  }
  return [cpu, ...(await gpus(checks, cpu)), await device('webgpu', small), await device('reference', small)];
}

function hasGpu(): boolean {
  try {
    return surveyGpus().usable.length > 0;
  } catch {
    return false;
  }
}

const inMs = (milliseconds: number) =>
  `${milliseconds < 10 ? milliseconds.toFixed(2) : milliseconds.toFixed(0)} ms`;

function machine(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
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
    {
      what: 'memory',
      ok: true,
      detail: `${bytesInWords(os.freemem())} free of ${bytesInWords(os.totalmem())}`,
    },
  ];
}

/** A device that was opened, and the works that it is given. */
type Checks = Awaited<ReturnType<typeof prepareWork>>;

/** Each GPU that CUDA knows, or what is missing for one. */
async function gpus(checks: Checks, cpu: Finding): Promise<Finding[]> {
  const findings: Finding[] = [];
  try {
    const { usable, refused } = surveyGpus();
    for (const { index } of usable) findings.push(await device('cuda', checks, { index, cpu }));
    for (const { index, reason } of refused) {
      const what = refused.length + usable.length > 1 ? `cuda:${index}` : 'cuda';
      findings.push({ what, ok: false, detail: reason.message });
    }
  } catch (error) {
    findings.push({ what: 'cuda', ok: false, detail: messageOf(error) });
  }
  return findings.sort((a, b) => (a.what < b.what ? -1 : 1));
}

/** Opens a device and lets it compute what is known. */
async function device(
  device: BackendOptions['device'] & string,
  checks: Checks,
  { index, cpu }: { index?: number; cpu?: Finding } = {},
): Promise<Finding> {
  const what = index === undefined ? device : `${device}:${index}`;
  try {
    const backend = await createBackend({ device, index });
    try {
      const products = await checkWork(backend, checks);
      const { description, remarks = [] } = backend.info;
      return {
        what,
        ok: products.every(({ ok }) => ok),
        detail: [`${description}; ${inWords(products)}`, ...remarks].join('; '),
        products: products.map((product, i) => ({
          ...product,
          cpuMilliseconds: cpu?.products?.[i]?.milliseconds,
        })),
      };
    } finally {
      await backend.dispose();
    }
  } catch (error) {
    return { what, ok: false, detail: messageOf(error) };
  }
}

/** The least accurate one that is right, or all that are wrong. */
function inWords(products: readonly Checked[]): string {
  const wrong = products.filter(({ ok }) => !ok);
  if (wrong.length > 0) {
    return wrong
      .map(({ what, error }) => `${what}: wrong by ${error.toExponential(1)} of its largest entry`)
      .join(', ');
  }
  const worst = Math.max(...products.map(({ error }) => error));
  const many = products.length === 1 ? 'a product is' : `${products.length} works of decoders are`;
  return `${many} right to ${worst.toExponential(1)}`;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
