/** How figures are written in a terminal. */

/** Three digits after the point; zero has no sign. */
export const three = (value: number) => value.toFixed(3).replace(/^-(?=0\.0*$)/, '');

/** A share as a plain decimal, small ones with two digits that count. */
export function decimal(share: number): string {
  return share >= 0.01 ? share.toFixed(3) : String(Number(share.toPrecision(2)));
}
