import { type Refuse, setItem } from './globals.ts';
import { LIMITS } from './limits.ts';
import type { PickleReader } from './pickleReader.ts';
import { kindOf, type PickleValue, PyDict, PyList, PySet, PyTuple } from './values.ts';

/** Stack, marks and memo of a pickle machine, bounded. */
export class PickleStack {
  readonly #refuse: Refuse;
  readonly #limit: PickleReader['limit'];
  readonly #memo = new Map<number, PickleValue>();
  readonly #marks: number[] = [];
  readonly #values: PickleValue[] = [];

  /** @param reader whose errors say where it went wrong */
  constructor(reader: PickleReader) {
    this.#refuse = reader.refuse;
    this.#limit = (value, most, what) => reader.limit(value, most, what);
  }

  get isEmpty(): boolean {
    return this.#values.length === 0 && this.#marks.length === 0;
  }

  /** Values that were put so far. */
  get memoized(): number {
    return this.#memo.size;
  }

  push(value: PickleValue): void {
    this.#limit(this.#values.length + 1, LIMITS.stack, 'values on the stack');
    this.#values.push(value);
  }

  pop(): PickleValue {
    this.#need(1);
    return this.#values.pop()!;
  }

  top(): PickleValue {
    this.#need(1);
    return this.#values.at(-1)!;
  }

  /** POP: where nothing came since the last mark, it is the mark that goes. */
  drop(): void {
    if (this.#marks.at(-1) === this.#values.length) this.#marks.pop();
    else this.pop();
  }

  mark(): void {
    this.#limit(this.#marks.length + 1, LIMITS.marks, 'nested containers');
    this.#marks.push(this.#values.length);
  }

  /** What came since the last mark, which goes too. */
  popMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) return this.#refuse('no mark on the stack');
    return this.#values.splice(mark);
  }

  popTuple(length: number): PyTuple {
    this.#need(length);
    return new PyTuple(this.#values.splice(this.#values.length - length));
  }

  popName(): string {
    const value = this.pop();
    return typeof value === 'string' ? value : this.#refuse('not a name', 'a text', kindOf(value));
  }

  put(index: number): void {
    this.#limit(index, LIMITS.memo, 'values in the memo');
    this.#memo.set(index, this.top());
  }

  get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) {
      this.#refuse('nothing in the memo under this number', 'a number that was put', `${index}`);
    }
    this.push(value);
  }

  /** To the list on top. */
  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PyList)) this.#refuse('not a list', 'a list', kindOf(list));
    for (const item of items) list.items.push(item);
  }

  /** To the set on top, in place: one that is made of many small steps is not copied in each. */
  addItems(items: readonly PickleValue[]): void {
    const set = this.top();
    if (!(set instanceof PySet)) this.#refuse('not a set', 'a set', kindOf(set));
    for (const item of items) set.items.push(item);
  }

  /** @param items keys and values in turn, for the dict on top */
  setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PyDict)) this.#refuse('not a dict', 'a dict', kindOf(dict));
    if (items.length % 2) this.#refuse('a key without a value');
    for (let i = 0; i < items.length; i += 2) setItem(dict, items[i]!, items[i + 1]!, this.#refuse);
  }

  /** What lies before the last mark is beyond reach. */
  #need(count: number): void {
    if (this.#values.length - (this.#marks.at(-1) ?? 0) < count) this.#refuse('the stack is empty');
  }
}
