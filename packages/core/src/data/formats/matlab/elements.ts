import { F2iError } from '../../../error.ts';
import { viewOf } from '../bytes.ts';
import type { Cursor } from './cursor.ts';

/** A data element: a tag, and what it announces. */
export interface Element {
  readonly type: number;
  /** Of its content, without padding. */
  readonly bytes: number;
  /** Where its content begins. */
  readonly at: number;
  /** Where the next element begins. */
  readonly end: number;
}

/**
 * The data elements of a variable, one after another: tags of 8 bytes with contents padded to 8, or, for up to 4 bytes,
 * tag and content in 8 bytes together.
 */
export class Elements {
  readonly cursor: Cursor;
  readonly littleEndian: boolean;
  readonly #file: string;

  constructor(cursor: Cursor, littleEndian: boolean, file: string) {
    this.cursor = cursor;
    this.littleEndian = littleEndian;
    this.#file = file;
  }

  /**
   * The tag that comes next, in a parent that ends at `end`. The cursor stands at the content then.
   *
   * @param tooLarge what is wrong where the parent ends before its element
   */
  async next(
    field: string,
    end: number,
    tooLarge = 'an element is larger than what holds it',
  ): Promise<Element> {
    const start = this.cursor.at;
    if (start + 8 > end) this.fail(field, 'an element is missing', '8 bytes or more', `${end - start}`);
    const head = viewOf(await this.cursor.take(8));
    const word = head.getUint32(0, this.littleEndian);
    const smallBytes = word >>> 16;
    if (smallBytes > 0) {
      if (smallBytes > 4)
        this.fail(field, 'a small element of an impossible size', '1 to 4', `${smallBytes}`);
      // Its content was read with the tag: back to it.
      this.#small = new Uint8Array(head.buffer, head.byteOffset + 4, smallBytes).slice();
      return { type: word & 0xffff, bytes: smallBytes, at: start + 4, end: start + 8 };
    }
    this.#small = undefined;
    const bytes = head.getUint32(4, this.littleEndian);
    const at = start + 8;
    if (at + bytes > end) {
      this.fail(field, tooLarge, `at most ${end - at} bytes`, `${bytes}`);
    }
    return { type: word, bytes, at, end: Math.min(end, at + Math.ceil(bytes / 8) * 8) };
  }
  #small: Uint8Array | undefined;

  /** Content of the element whose tag was just read; the cursor stands at the next one then. */
  async content(element: Element, field: string, limit: number): Promise<Uint8Array> {
    if (element.bytes > limit) this.fail(field, 'too long', `at most ${limit} bytes`, `${element.bytes}`);
    if (this.#small) return this.#small;
    // What is taken is valid until the next call alone.
    const bytes = (await this.cursor.take(element.bytes)).slice();
    await this.cursor.skip(element.end - this.cursor.at);
    return bytes;
  }

  async skip(element: Element): Promise<void> {
    await this.cursor.skip(element.end - this.cursor.at);
  }

  fail(field: string, message: string, expected?: string, found?: string): never {
    throw new F2iError('FORMAT', message, { file: this.#file, field, expected, found });
  }
}
