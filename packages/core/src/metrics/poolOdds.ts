/**
 * Probability that fewer than `k` of those competitors who are ahead are among `drawn` random ones of all: the
 * hypergeometric distribution, sum over x < k of C(ahead, x) C(competitors - ahead, drawn - x) / C(competitors, drawn).
 *
 * @param drawn 0 to `competitors`, without replacement
 * @returns one for each number of competitors who are ahead, 0 to `competitors`
 */
export function poolOdds(competitors: number, drawn: number, k: number): Float64Array {
  const logFactorial = new Float64Array(competitors + 1);
  for (let i = 2; i <= competitors; i++) logFactorial[i] = logFactorial[i - 1]! + Math.log(i);
  const logChoose = (n: number, r: number) =>
    r < 0 || r > n ? -Infinity : logFactorial[n]! - logFactorial[r]! - logFactorial[n - r]!;
  return Float64Array.from({ length: competitors + 1 }, (_, ahead) => {
    if (ahead < k) return 1;
    let odds = 0;
    for (let x = 0; x < k; x++) {
      odds += Math.exp(
        logChoose(ahead, x) + logChoose(competitors - ahead, drawn - x) - logChoose(competitors, drawn),
      );
    }
    return Math.min(1, odds);
  });
}
