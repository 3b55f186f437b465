import { describe, expect, it } from 'vitest';
import { Picture } from '../src/decoders/picture.ts';
import { throwIfAborted } from '../src/error.ts';
import {
  checkRequest,
  type Generator,
  type GeneratorEvent,
  type GeneratorInputs,
  type GeneratorRequest,
} from '../src/generators/index.ts';
import { createRandom } from '../src/random.ts';

const TOKENS = { data: new Float32Array(6).fill(0.5), shape: [2, 3] };
const LATENT = { data: new Float32Array(4), shape: [1, 2, 2] };
const IMAGE = new Picture(new Float32Array(4), [2, 2], [0, 1]);

const INPUTS: GeneratorInputs = {
  tokens: { shape: [2, 3], name: 'CLIP L tokens', required: true },
  lowLevel: { image: true, latent: { shape: [1, 2, 2] }, required: false },
  caption: { required: false },
};

/** The least that the seam asks for: noise that fades into the mean of the tokens, step by step. */
class FadingNoise implements Generator {
  readonly kind = 'fading-noise';
  readonly inputs = INPUTS;
  readonly output = { shape: [4, 4, 3], range: [0, 1] } as const;
  readonly warnings = [];
  /** Requests under way. */
  open = 0;

  async *generate(request: GeneratorRequest): AsyncGenerator<GeneratorEvent, void, void> {
    const { tokens, seeds, previews, signal } = checkRequest(this.inputs, request);
    this.open++;
    try {
      const target = tokens!.data.reduce((sum, value) => sum + value, 0) / tokens!.data.length;
      for (const [image, seed] of seeds.entries()) {
        const noise = Float32Array.from(createRandom(seed).normals(48));
        for (let done = 1; done <= 4; done++) {
          throwIfAborted(signal, 'generating');
          const data = noise.map((value) => target + value * (1 - done / 4));
          const picture = new Picture(data, this.output.shape, this.output.range);
          yield { kind: 'progress', image, done, total: 4, ...(previews && { preview: picture }) };
          if (done === 4) yield { kind: 'image', image, seed, picture };
        }
      }
    } finally {
      this.open--;
    }
  }

  dispose(): void {}
}

async function all(request: GeneratorRequest): Promise<GeneratorEvent[]> {
  const events: GeneratorEvent[] = [];
  for await (const event of new FadingNoise().generate(request)) events.push(event);
  return events;
}

describe('a generator', () => {
  it('tells each step and gives each picture once, in order', async () => {
    const events = await all({ tokens: TOKENS, seeds: [7, 3] });
    const images = events.filter((event) => event.kind === 'image');
    expect(images.map(({ image, seed }) => [image, seed])).toEqual([
      [0, 7],
      [1, 3],
    ]);
    expect(images[0]!.picture.data.every((value) => value === 0.5)).toBe(true);
    expect(events.filter((event) => event.kind === 'progress')).toHaveLength(8);
  });

  it('shows previews where they are asked for', async () => {
    const previews = async (request: Partial<GeneratorRequest>) =>
      (await all({ tokens: TOKENS, ...request })).flatMap((event) =>
        event.kind === 'progress' && event.preview ? [event.preview.data[0]!] : [],
      );
    expect(await previews({})).toEqual([]);
    expect(new Set(await previews({ previews: true })).size).toBe(4);
  });

  it('ends with CANCELLED on an abort, and when its loop is left', async () => {
    const generator = new FadingNoise();
    const controller = new AbortController();
    const until = async (act: () => unknown) => {
      for await (const event of generator.generate({ tokens: TOKENS, signal: controller.signal })) {
        if (event.kind === 'progress' && act()) break;
      }
    };
    await until(() => true);
    await expect(until(() => controller.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(generator.open).toBe(0);
  });
});

describe('a request', () => {
  it('has a picture with seed 0 by default, as many as seeds or as are counted', () => {
    const of = (request: GeneratorRequest) => checkRequest(INPUTS, { tokens: TOKENS, ...request });
    expect(of({})).toMatchObject({ count: 1, seeds: [0], previews: false });
    expect(of({ count: 3 }).seeds).toEqual([0, 1, 2]);
    expect(of({ seeds: [9, 9] })).toMatchObject({ count: 2, seeds: [9, 9] });
    expect(of({ lowLevel: { kind: 'latent', latent: LATENT } })).toMatchObject({ count: 1 });
    expect(of({ lowLevel: { kind: 'image', image: IMAGE }, caption: 'a dog' })).toMatchObject({ count: 1 });
    expect(of({ tokens: { ...TOKENS, name: 'CLIP L tokens' } })).toMatchObject({ count: 1 });
  });

  it.each<[string, Partial<GeneratorRequest>, RegExp]>([
    ['no tokens', { tokens: undefined }, /^tokens: the generator needs this/],
    ['a vector that it does not read', { vector: TOKENS }, /^vector: the generator does not read this/],
    [
      'tokens of another shape',
      { tokens: { ...TOKENS, shape: [3, 2] } },
      /^tokens: .*expected \[2, 3\], found \[3, 2\] with 6 values/,
    ],
    ['too few values', { tokens: { ...TOKENS, data: new Float32Array(5) } }, /\[2, 3\] with 5 values/],
    [
      'tokens of another model',
      { tokens: { ...TOKENS, name: 'OpenCLIP bigG tokens' } },
      /^tokens: features of another model.*expected CLIP L tokens, found OpenCLIP bigG tokens/,
    ],
    ['NaN', { tokens: { ...TOKENS, data: new Float32Array(6).fill(Number.NaN) } }, /^tokens\[0\].*found NaN/],
    [
      'a latent of another shape',
      { lowLevel: { kind: 'latent', latent: TOKENS } },
      /^lowLevel\.latent: .*\[1, 2, 2\]/,
    ],
    ['no pictures', { count: 0 }, /^count: not a number of pictures.*found 0/],
    ['half a picture', { count: 1.5 }, /^count/],
    ['no seeds', { seeds: [] }, /^seeds: a seed for each picture/],
    ['seeds that are not counted', { seeds: [1, 2], count: 3 }, /^seeds: .*expected 3, found 2/],
    ['a negative seed', { seeds: [-1] }, /^seeds: a seed is out of range.*found -1/],
  ])('is refused with %s', (_, request, message) => {
    expect(() => checkRequest(INPUTS, { tokens: TOKENS, ...request })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    );
  });

  it('is refused with a start that the generator cannot take', () => {
    const inputs: GeneratorInputs = {
      lowLevel: { image: false, latent: { shape: [1, 2, 2] }, required: true },
    };
    expect(() => checkRequest(inputs, {})).toThrow(/lowLevel: the generator needs this/);
    expect(() => checkRequest(inputs, { lowLevel: { kind: 'image', image: IMAGE } })).toThrow(
      /lowLevel\.kind: .*expected latent, found image/,
    );
  });
});
