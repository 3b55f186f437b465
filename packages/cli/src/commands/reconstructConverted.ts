import { type BundleModel, readModel, type Study } from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import type { Context } from '../context.ts';
import { backendOptions, usage } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { chosenRun } from '../pipeline/convertedSettings.ts';
import { produce } from '../pipeline/produce.ts';
import { openResponses } from '../pipeline/responses.ts';
import type { ReconstructFlags } from './reconstruct.ts';

/** Runs a published model over the trials of a study, or of files of NSD. */
export async function reconstructConverted(
  bundle: string,
  path: string,
  options: ReconstructFlags,
  context: Context,
  choose: (study: Study, options: ReconstructFlags) => number[],
): Promise<void> {
  const { console, signal, backend } = context;
  const model = await readModel(await nodeFolder(bundle, { onRepair: console.warn }), signal);
  const repeats = options.repeats ?? (options.average ? 'all' : 'each');
  checkFlags(model, options);
  chosenRun(model, { ...options, repeats });
  const output = await prepareOutput({
    path: options.output,
    kind: 'folder of reconstructions',
    force: options.force,
    inputs: [bundle, path, options.data, options.noise],
  });
  const responses = await openResponses(path, {
    data: options.data,
    choose: (study) => choose(study, options),
    trials: options.trials,
    signal,
    console,
  });
  const { items, outputs, provenance, made, seconds } = await produce(
    bundle,
    responses,
    { ...options, ...output, repeats, memoryLimit: backendOptions(options).memoryLimit },
    context,
  );
  for (const warning of provenance.warnings) console.warn(`note: ${warning}`);
  console.result({
    output: options.output,
    reconstructions: items.length,
    made,
    seconds,
    outputs,
    provenance,
  });
  const each = made > 0 ? `, ${(seconds / made).toFixed(3)} s each` : '';
  console.print(
    `${items.length} reconstructions in ${options.output} (${outputs.map(({ file }) => file).join(', ')}): ${made} made in ${seconds.toFixed(2)} s${each}, ${backend.info.description}`,
  );
}

function checkFlags({ kind }: BundleModel, options: ReconstructFlags): void {
  if (options.model !== undefined && options.model !== kind) {
    throw usage(`--model ${options.model}, but the bundle holds the weights of ${kind}`);
  }
  if (options.average && options.repeats !== undefined && options.repeats !== 'all') {
    throw usage(`--average averages all repeats, --repeats ${options.repeats} does not: give one of them`);
  }
  if (options.noise !== undefined && options.seed !== undefined) {
    throw usage('recorded noise takes the place of a seed: give --noise or --seed');
  }
}
