/**
 * Colours of the plots, told apart by people with any colour vision (after Okabe and Ito 2008, "Color universal
 * design") and in grey. The page replaces them in dark mode, by these very values: see `style.ts`.
 */
export const COLOUR = {
  ink: '#1b2430',
  muted: '#5a6675',
  rule: '#d9dee4',
  /** The decoder. */
  ours: '#0072b2',
  /** Its controls. */
  control: '#7a8694',
  /** Limits and thresholds. */
  mark: '#c24e00',
  /** A second series. */
  other: '#00795a',
  pale: '#a9c9dd',
} as const;

/** The same in dark mode. */
export const DARK: { readonly [name in keyof typeof COLOUR]: string } = {
  ink: '#e8ecf1',
  muted: '#a7b2bf',
  rule: '#3a4450',
  ours: '#56b4e9',
  control: '#9aa6b4',
  mark: '#f28e4b',
  other: '#3fc79a',
  pale: '#2f5d78',
};

export const FONT = 'system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif';
