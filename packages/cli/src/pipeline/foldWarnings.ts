/** What several folds had to say; each kind of sentence comes out once. */
export class FoldWarnings {
  private readonly kinds = new Map<string, { readonly text: string; readonly folds: Set<string> }[]>();

  add(fold: string, text: string): void {
    const kind = withoutNumbers(text);
    const said = this.kinds.get(kind) ?? [];
    this.kinds.set(kind, said);
    const same = said.find((other) => other.text === text);
    if (same) same.folds.add(fold);
    else said.push({ text, folds: new Set([fold]) });
  }

  /**
   * @param folds how many there were
   * @returns `run 3: ...` for what one fold said; `... (3 of 4 folds)`, with numbers that differ as `1 to 22`, else
   */
  summary(folds: number): string[] {
    return [...this.kinds.values()].map((said) => {
      const names = new Set(said.flatMap((one) => [...one.folds]));
      if (names.size === 1) return `${[...names][0]}: ${ranged(said.map((one) => one.text))}`;
      return `${ranged(said.map((one) => one.text))} (${names.size} of ${folds} folds)`;
    });
  }
}

const NUMBER = /\d+(\.\d+)?(e[+-]?\d+)?/g;

/** What sentences have in common that differ in their numbers alone. */
export const withoutNumbers = (text: string) => text.replace(NUMBER, '#');

/** Sentences that differ in their numbers alone, as one. */
export function ranged(texts: readonly string[]): string {
  const numbers = texts.map((text) => text.match(NUMBER) ?? []);
  let at = 0;
  return texts[0]!.replace(NUMBER, () => {
    const sorted = numbers.map((list) => list[at]!).sort((a, b) => Number(a) - Number(b));
    at++;
    const [low, high] = [sorted[0]!, sorted.at(-1)!];
    return low === high ? low : `${low} to ${high}`;
  });
}
