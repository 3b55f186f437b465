/** A ceiling, rounded down: `1.5 MB`, `386 MB`. */
export const atMost = (bytes: number): string => inMegabytes(bytes, Math.floor);

/** What is needed, rounded up: never the number of a ceiling that is too low for it. */
export const atLeast = (bytes: number): string => inMegabytes(bytes, Math.ceil);

/** Powers of ten; below 10 MB to a tenth. */
const inMegabytes = (bytes: number, round: (value: number) => number): string =>
  `${bytes < 1e7 ? round(bytes / 1e5) / 10 : round(bytes / 1e6)} MB`;
