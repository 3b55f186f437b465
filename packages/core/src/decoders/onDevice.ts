import { F2iError } from '../error.ts';

/** What a decoder holds on its device: put there when it is first asked for, and freed with the decoder. */
export class OnDevice<T> {
  readonly #make: () => Promise<T>;
  readonly #free: (held: T) => void;
  #held: T | undefined;
  #coming: Promise<T> | undefined;
  #disposed = false;

  constructor(make: () => Promise<T>, free: (held: T) => void) {
    this.#make = make;
    this.#free = free;
  }

  /** @throws DISPOSED, also where the decoder was disposed meanwhile; what making it throws */
  async get(): Promise<T> {
    this.assertAlive();
    if (this.#held) return this.#held;
    this.#coming ??= this.#make().then((made) => {
      if (this.#disposed) this.#free(made);
      else this.#held = made;
      return made;
    });
    const coming = this.#coming;
    try {
      const held = await coming;
      this.assertAlive();
      return held;
    } finally {
      // After a failure somebody may have begun anew already.
      if (this.#coming === coming) this.#coming = undefined;
    }
  }

  /** @throws DISPOSED */
  assertAlive(): void {
    if (this.#disposed) throw new F2iError('DISPOSED', 'the decoder was used after dispose()');
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#held) this.#free(this.#held);
    this.#held = undefined;
  }
}
