/** Equal bins; a score on a border belongs to the bin above it, the largest to the last. */
export function histogram(values: readonly number[], [low, high]: readonly [number, number], bins: number) {
  const width = (high - low) / bins;
  const counts = Array.from({ length: bins }, (_, i) => ({
    from: low + i * width,
    to: low + (i + 1) * width,
    count: 0,
  }));
  for (const value of values) {
    const bin = Math.floor((value - low) / width + 1e-9);
    counts[Math.max(0, Math.min(bins - 1, bin))]!.count++;
  }
  return counts;
}

/**
 * The layer of a plot that draws a histogram.
 *
 * @param x encoding of the axis, without its field
 * @param title of what is counted
 */
export function histogramLayer(
  values: ReturnType<typeof histogram>,
  x: object,
  title: string,
  { color, opacity, scale }: { color: string; opacity: number; scale?: object },
) {
  return {
    data: { values },
    mark: { type: 'bar', color, binSpacing: 1, opacity },
    encoding: {
      x: { ...x, field: 'from', bin: { binned: true } },
      x2: { field: 'to' },
      y: {
        field: 'count',
        type: 'quantitative',
        title,
        axis: { tickMinStep: 1, tickCount: 4 },
        ...(scale && { scale }),
      },
    },
  };
}
