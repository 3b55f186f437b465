/**
 * The known word that is spelt most like this one, if any is: what the author most likely meant. Not a word that
 * differs in digits alone: run-2 is no misspelling of run-3. Else the only one that begins with it.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const apartFromDigits = (text: string) => text.replace(/\d+/g, '0');
  let best: { word: string; distance: number } | undefined;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    if (apartFromDigits(candidate) === apartFromDigits(word)) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && distance < (best?.distance ?? Infinity)) best = { word: candidate, distance };
  }
  return best?.word ?? completed(word, known);
}

/** What was cut short: of one letter or two it could be anything. */
function completed(word: string, known: readonly string[]): string | undefined {
  if (word.length < 3) return undefined;
  const longer = known.filter((candidate) => candidate.toLowerCase().startsWith(word.toLowerCase()));
  return longer.length === 1 ? longer[0] : undefined;
}

/** `: did you mean colour?`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant === undefined ? '' : `: did you mean ${meant}?`;
}

/** At most twelve of a list, with how many there are where it is cut short. */
export function shortList(words: readonly string[], most = 12): string {
  if (words.length <= most) return words.join(', ');
  return `${words.slice(0, most).join(', ')}, ... (${words.length} in all)`;
}

/** Levenshtein's distance: insertions, deletions and substitutions, each 1. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
