import type { Arrangement } from '../data/recording/recording.ts';

/** A peculiarity of a published recipe. */
export interface Quirk {
  readonly what: string;
  /** `--renormalise test-predictions` */
  readonly option: string;
  /** What the option sets: where it is set otherwise, the quirk is none. */
  readonly setting?: string | undefined;
  /** The heads that it is about; all of them when absent. */
  readonly heads?: readonly string[] | undefined;
  /** The number that it hangs on, which is another one in other data. */
  readonly count?: QuirkCount | undefined;
}

export interface QuirkCount {
  readonly of: 'training rows' | 'presentations of a training picture' | 'presentations of a test picture';
  /** What it was in the published study. */
  readonly published: string;
}

/**
 * A quirk with its number in the published study, and in the data that are fitted.
 *
 * @param rows of the fit; without, the published number stands alone
 */
export function quirkInWords({ what, count }: Quirk, rows?: Pick<Arrangement, 'train' | 'test'>): string {
  if (!count) return what;
  const here = rows ? `, here: ${countOf(count.of, rows)}` : '';
  return `${what} (${count.of}; published: ${count.published}${here})`;
}

function countOf(of: QuirkCount['of'], { train, test }: Pick<Arrangement, 'train' | 'test'>): string {
  if (of === 'training rows') return `${train.length}`;
  const shown = new Map<number, number>();
  for (const { stimulus, trials } of of.includes('training') ? train : test) {
    shown.set(stimulus, (shown.get(stimulus) ?? 0) + trials.length);
  }
  const counts = [...shown.values()];
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  return fewest === most ? `${most}` : `${fewest} to ${most}`;
}
