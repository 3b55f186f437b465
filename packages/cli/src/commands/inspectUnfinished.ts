import type { Console } from '../console.ts';
import type { UnfinishedRun } from '../pipeline/workFolder.ts';

/** Says what a stopped run has made, and how to go on. */
export function describeUnfinished(path: string, run: UnfinishedRun, console: Console): void {
  const { done, count, command, outputs, settings, blocks, underWay } = run;
  console.result({ unfinished: run });
  const what = blocks ? 'targets' : 'reconstructions';
  console.print(`${path}: an unfinished run, ${done} of ${count} ${what} are made`);
  for (const [name, of] of Object.entries(blocks ?? {}))
    console.print(`  ${name}: ${of} ${name.endsWith('.training_voxels') ? 'voxels' : 'targets'}`);
  for (const { file, shape } of outputs)
    console.print(`  ${file}: f32 [${done} of ${count}, ${shape.join(', ')}]`);
  const said = ['stage', 'precision', 'subject', 'seed', 'noise', 'repeats', 'trials'].filter(
    (name) => settings[name] !== undefined,
  );
  if (said.length > 0) console.print(`  ${said.map((name) => `${name}: ${settings[name]}`).join(', ')}`);
  if (underWay) console.print('  a process is at it now');
  else console.print(`  to go on, type the same again; --restart begins anew:\n    ${command}`);
}
