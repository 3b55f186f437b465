import { statSync } from 'node:fs';

/**
 * The folder of goldens to record: the one that somebody named, or else the one beside the repository, if it is there.
 *
 * @param named by whom, and where: [`--goldens`, FOLDER], [`F2I_GOLDENS`, FOLDER]; the first that says anything counts
 * @returns undefined where nobody named one and there is none
 * @throws for a folder that was named and is not there
 */
export function goldensFolder(
  named: readonly (readonly [by: string, folder: string | undefined])[],
  beside: string,
): string | undefined {
  const found = named.find(([, folder]) => folder !== undefined);
  const folder = found?.[1] ?? beside;
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  if (found) throw new Error(`${found[0]}: expected a folder of goldens, found none at ${folder}`);
  return undefined;
}
