import { encodePng, type PngImage } from '../data/formats/png.ts';
import { F2iError } from '../error.ts';

/**
 * A picture of height x width x channels (1 grey, 3 RGB), row-major, the top row first, channels last. Values lie in
 * `range`, black to white.
 */
export class Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly data: Float32Array;
  readonly range: readonly [black: number, white: number];

  constructor(data: Float32Array, shape: readonly number[], range: readonly [number, number]) {
    const [height = 0, width = 0, channels = 1] = shape;
    if (height * width * channels !== data.length || (channels !== 1 && channels !== 3)) {
      throw new F2iError('INVALID_ARGUMENT', 'values do not fill the picture', {
        field: 'shape',
        expected: `[height, width] or [height, width, 1 or 3] with ${data.length} values`,
        found: `[${shape.join(', ')}]`,
      });
    }
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.data = data;
    this.range = range;
  }

  /** Scaled so that black is 0 and white 1: what the PNG writer takes. */
  toPngImage(): PngImage {
    const [black, white] = this.range;
    const data = this.data.map((value) => (value - black) / (white - black));
    return { width: this.width, height: this.height, channels: this.channels, data };
  }

  /** Bytes of a PNG file. */
  toPng(options?: { depth?: 8 | 16 }): Uint8Array {
    return encodePng(this.toPngImage(), options);
  }

  /** Eight-bit RGBA, opaque: what canvases and PNG encoders take. */
  toRgba(): Uint8ClampedArray<ArrayBuffer> {
    const { channels } = this;
    const { data } = this.toPngImage();
    const rgba = new Uint8ClampedArray(this.height * this.width * 4);
    for (let pixel = 0; pixel < this.height * this.width; pixel++) {
      for (let c = 0; c < 3; c++) {
        rgba[pixel * 4 + c] = 255 * data[pixel * channels + (channels === 3 ? c : 0)]!;
      }
      rgba[pixel * 4 + 3] = 255;
    }
    return rgba;
  }
}
