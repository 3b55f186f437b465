import { InvalidArgumentError } from 'commander';

/** Bytes of each unit, as it is written: MB and GB are powers of ten, MiB and GiB of two. */
const UNITS: Readonly<Record<string, number>> = {
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const EXPECTED = 'expected a size with its unit, such as 3GB, 500MB, 2.5GiB or 512MiB; 1 MiB or more';

/**
 * A size in bytes: `3GB`, `1.5 GiB`; a whole number alone is of MiB. Results are printed in MB and GB.
 *
 * @throws InvalidArgumentError for other texts; it says what letters that mean both would have to be
 */
export function sizeInBytes(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined) throw new InvalidArgumentError(EXPECTED);
  const factor = unit === '' ? UNITS.MiB : UNITS[unit];
  if (factor === undefined) throw new InvalidArgumentError(askedBack(digits, unit) ?? EXPECTED);
  const bytes = Math.round(Number(digits) * factor);
  const isWhole = unit !== '' || Number.isInteger(Number(digits));
  if (!isWhole || bytes < 2 ** 20 || !Number.isSafeInteger(bytes)) throw new InvalidArgumentError(EXPECTED);
  return bytes;
}

/** `4G`, `4gb`: some programs take them for powers of ten, others for powers of two; `4gib` is of two anywhere. */
function askedBack(digits: string, unit: string): string | undefined {
  const [, letter, i] = /^([MGT])(i?)B?$/i.exec(unit) ?? [];
  if (letter === undefined) return undefined;
  const prefix = letter.toUpperCase();
  if (i !== '') return `${digits}${unit} is written ${digits}${prefix}iB`;
  return `${digits}${unit} may mean ${digits}${prefix}B (powers of ten) or ${digits}${prefix}iB (powers of two): write the one that you mean`;
}
