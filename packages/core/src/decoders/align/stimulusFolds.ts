/** Folds to choose a penalty by, unless there are fewer stimuli. */
const FOLDS = 5;

/**
 * Labels of folds for trials: all repeats of a stimulus fall into one, or the penalty would be chosen by how well trials
 * predict their own repeats. Stimuli are dealt out in the order in which they first occur.
 */
export function stimulusFolds(stimuli: readonly string[]): number[] {
  const dealt = new Map<string, number>();
  for (const name of stimuli) if (!dealt.has(name)) dealt.set(name, dealt.size % FOLDS);
  return stimuli.map((name) => dealt.get(name)!);
}
