const RELATIVE = 1e-17;

/** Error function to within a few units of the last place: `2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!`, all terms positive. */
export function erf(x: number): number {
  // 1 - erf(6) is 2e-17.
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > RELATIVE * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** ln Γ(x) for x > 0: Stirling's series beyond 10, the recurrence below. */
export function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 10; z++) shift += Math.log(z);
  const w = 1 / (z * z);
  const series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188))))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/**
 * Distribution function of a gamma variable of scale 1 (the regularised lower incomplete gamma function):
 * `xᵃ exp(-x) / Γ(a+1) Σ xⁿ / ((a+1) ... (a+n))`.
 */
export function gammaCdf(shape: number, x: number): number {
  if (x <= 0) return 0;
  let term = 1;
  let sum = 1;
  for (let n = 1; term > RELATIVE * sum; n++) {
    term *= x / (shape + n);
    sum += term;
  }
  return Math.min(1, sum * Math.exp(shape * Math.log(x) - x - logGamma(shape + 1)));
}
