/** How figures are written in the report. */

/** `94.9 %` */
export const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;

/** Three digits after the point. */
export const score = (value: number | undefined, digits = 3) =>
  value === undefined ? 'n/a' : minus(value.toFixed(digits));

/** With a true minus sign; zero has none. */
export const minus = (text: string) => text.replace(/^-(?=0*\.?0*$)/, '').replace(/^-/, '\u2212');

/** Three digits that count: `5.5e+3`, `0.042`, `17.2`. */
export const short = (value: number) => minus(String(Number(value.toPrecision(3))));

/** `0.010`, `0.001` or `n/a`: a p-value. */
export const pValue = (p: number | null) =>
  p === null ? 'n/a' : p >= 0.01 ? p.toFixed(3) : String(Number(p.toPrecision(2)));

/** `1 run`, `4 runs` */
export const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** `a`, `a and b`, `a, b and c` */
export function listed(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** `1, 3 to 5, 9` of ascending whole numbers. */
export function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([a, b]) => (a === b ? `${a}` : b === a + 1 ? `${a}, ${b}` : `${a} to ${b}`)).join(', ');
}

export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
