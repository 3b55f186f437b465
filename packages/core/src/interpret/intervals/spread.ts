/** The element of a rank (from 0) among the sizes of some numbers, which are rearranged (Hoare 1961, Algorithm 65). */
export function rankedSize(values: Float32Array, rank: number): number {
  for (let i = 0; i < values.length; i++) values[i] = Math.abs(values[i]!);
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    // The median of three is far from the ends of what is sorted already.
    const [a, b, c] = [values[low]!, values[(low + high) >> 1]!, values[high]!];
    const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const value = values[i]!;
      values[i++] = values[j]!;
      values[j--] = value;
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else break;
  }
  return values[rank]!;
}

/**
 * Half-width and standard error of draws: the smallest size that is exceeded by no more than the share 1 - level of the draws
 * and the data themselves (symmetric interval: Hall 1988, J. R. Stat. Soc. B 50:35), and their root mean square.
 *
 * @param draws deviations of one voxel; rearranged
 */
export function spreadOf(draws: Float32Array, level: number): { half: number; error: number } {
  let squares = 0;
  for (const value of draws) squares += value * value;
  const rank = Math.min(draws.length, Math.ceil(level * (draws.length + 1))) - 1;
  return { half: rankedSize(draws, rank), error: Math.sqrt(squares / draws.length) };
}
