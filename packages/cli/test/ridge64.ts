/** Ridge with intercept in float64 by Gauss-Jordan elimination: predictions of `test` rows, [test, targets]. */
export function ridge64(
  train: readonly (readonly number[])[],
  targets: readonly (readonly number[])[],
  test: readonly (readonly number[])[],
  alpha: number,
): number[][] {
  const meanOf = (rows: readonly (readonly number[])[]) =>
    rows[0]!.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length);
  const [mx, my] = [meanOf(train), meanOf(targets)];
  const p = mx.length;
  const both = train.map((row, i) => [
    ...row.map((value, j) => value - mx[j]!),
    ...targets[i]!.map((value, k) => value - my[k]!),
  ]);
  const a = mx.map((_, i) =>
    both[0]!.map((_, j) => both.reduce((sum, row) => sum + row[i]! * row[j]!, i === j ? alpha : 0)),
  );
  for (let c = 0; c < p; c++) {
    for (let r = 0; r < p; r++) {
      if (r === c) continue;
      const factor = a[r]![c]! / a[c]![c]!;
      for (let k = c; k < a[r]!.length; k++) a[r]![k]! -= factor * a[c]![k]!;
    }
  }
  return test.map((row) =>
    my.map((mean, k) => row.reduce((sum, x, j) => sum + ((x - mx[j]!) * a[j]![p + k]!) / a[j]![j]!, mean)),
  );
}
