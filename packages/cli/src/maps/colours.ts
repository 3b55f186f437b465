/**
 * Colours of maps: as light as their value says, in equal steps of perceived lightness (OKLab: Björn Ottosson 2020, "A
 * perceptual color space for image processing"). Light maps lie on white, where nothing is as light as the page; dark
 * ones on a dark page, where nothing is as dark.
 */
export type Scale = 'sequential' | 'diverging';
export type Mode = 'light' | 'dark';
/** 0 to 1 each. */
export type Rgb = readonly [red: number, green: number, blue: number];

interface Anchor {
  readonly lightness: number;
  readonly hue: number;
}

/** From nothing to most. Hues in degrees; numbers between are interpolated. */
const SEQUENTIAL: Readonly<Record<Mode, readonly [Anchor, Anchor]>> = {
  light: [
    { lightness: 0.93, hue: 105 },
    { lightness: 0.32, hue: 290 },
  ],
  dark: [
    { lightness: 0.34, hue: 290 },
    { lightness: 0.94, hue: 105 },
  ],
};

/** Below 0, 0 and above 0: blue and red are told apart by people with any colour vision. */
const DIVERGING: Readonly<Record<Mode, { centre: number; end: number; hues: readonly [number, number] }>> = {
  light: { centre: 0.93, end: 0.42, hues: [255, 35] },
  dark: { centre: 0.36, end: 0.86, hues: [245, 55] },
};

const MOST_CHROMA = 0.17;

/**
 * @param value -1 to 1 (diverging) or 0 to 1 (sequential); beyond is clipped
 */
export function colourOf(value: number, scale: Scale, mode: Mode): Rgb {
  if (scale === 'sequential') {
    const t = Math.min(1, Math.max(0, value));
    const [from, to] = SEQUENTIAL[mode];
    return inGamut(mix(from.lightness, to.lightness, t), MOST_CHROMA, mix(from.hue, to.hue, t));
  }
  const t = Math.min(1, Math.max(-1, value));
  const { centre, end, hues } = DIVERGING[mode];
  return inGamut(mix(centre, end, Math.abs(t)), MOST_CHROMA * Math.abs(t), t < 0 ? hues[0] : hues[1]);
}

/** `#1f77b4` */
export function hex(colour: Rgb): string {
  return `#${colour
    .map((part) =>
      Math.round(255 * part)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`;
}

const mix = (a: number, b: number, t: number) => a + (b - a) * t;

/** The colour of this lightness and hue with as much chroma as a screen can show, up to what is asked. */
function inGamut(lightness: number, chroma: number, hue: number): Rgb {
  let [low, high] = [0, chroma];
  const whole = linearRgb(lightness, chroma, hue);
  if (fits(whole)) return encoded(whole);
  for (let step = 0; step < 12; step++) {
    const middle = (low + high) / 2;
    if (fits(linearRgb(lightness, middle, hue))) low = middle;
    else high = middle;
  }
  return encoded(linearRgb(lightness, low, hue));
}

const fits = (colour: Rgb) => colour.every((part) => part >= -1e-4 && part <= 1 + 1e-4);

function linearRgb(lightness: number, chroma: number, hue: number): Rgb {
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** As sRGB stores it (IEC 61966-2-1). */
function encoded(linear: Rgb): Rgb {
  const encode = (part: number) => {
    const value = Math.min(1, Math.max(0, part));
    return value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
  };
  return [encode(linear[0]), encode(linear[1]), encode(linear[2])];
}
