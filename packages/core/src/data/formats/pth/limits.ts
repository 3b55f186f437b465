/** Far above any real checkpoint, low enough for a small machine. */
export const LIMITS = {
  /** Bytes of a pickle. */
  bytes: 128 * 2 ** 20,
  opcodes: 8_000_000,
  stack: 1_000_000,
  marks: 1000,
  memo: 4_000_000,
  /** Characters of a text. */
  text: 2 ** 20,
  /** Bytes of a whole number. */
  integer: 1024,
} as const;
