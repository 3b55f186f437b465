import { F2iError } from '../../../error.ts';
import { pacer } from '../../pause.ts';
import { build, buildState, lookUp, newObject, type Refuse, setItem } from './globals.ts';
import { OPCODES, REFUSED } from './opcodes.ts';
import { kindOf, type PickleValue, PyDict, PyList, PySet, PyTuple, quoted } from './values.ts';

/** Far above any real checkpoint, low enough for a small machine. */
export const LIMITS = {
  /** Bytes of a pickle. */
  bytes: 128 * 2 ** 20,
  opcodes: 8_000_000,
  stack: 1_000_000,
  marks: 1000,
  memo: 4_000_000,
  /** Characters of a text. */
  text: 2 ** 20,
  /** Bytes of a whole number. */
  integer: 1024,
} as const;

export interface UnpickleOptions {
  /** What errors call the file. */
  file: string;
  /** Where the pickle begins. */
  start?: number;
  /** What a persistent id stands for. */
  persistent(id: PickleValue, refuse: Refuse): PickleValue;
  signal?: AbortSignal | undefined;
}

export interface Unpickled {
  readonly value: PickleValue;
  /** The byte after the pickle. */
  readonly end: number;
}

/** The pickle goes on where the bytes end: more of them may help. */
export class PickleEndsEarly extends F2iError {}

/**
 * Runs a pickle on a machine that can build tensors, numbers, texts and containers, and nothing else: an allow-list of
 * names (`globals.ts`), no classes, no calls, bounded in every way. The format: Python's `pickletools`.
 *
 * @throws FORMAT, naming the opcode and its place, for anything else
 */
export async function unpickle(bytes: Uint8Array, options: UnpickleOptions): Promise<Unpickled> {
  const { file, start = 0, persistent, signal } = options;
  const breathe = pacer(signal, `reading ${file}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const memo = new Map<number, PickleValue>();
  const marks: number[] = [];
  let stack: PickleValue[] = [];
  let at = start;
  let opcode = 'PROTO';
  let opcodeAt = start;

  const place = () => ({ file, field: `opcode ${opcode} at byte ${opcodeAt}` });
  const refuse: Refuse = (message, expected, found) => {
    throw new F2iError('FORMAT', message, { ...place(), expected, found });
  };
  const limit = (value: number, most: number, what: string) => {
    if (value > most)
      refuse('the pickle is larger than any checkpoint', `at most ${most} ${what}`, `${value}`);
  };

  /** Moves on; returns where the bytes begin. */
  function take(length: number): number {
    if (length > bytes.length - at) {
      throw new PickleEndsEarly('FORMAT', 'the pickle ends too early', {
        ...place(),
        expected: `${length} bytes at ${at}`,
        found: `${bytes.length - at}`,
      });
    }
    at += length;
    return at - length;
  }
  const u8 = () => bytes[take(1)]!;
  const u16 = () => view.getUint16(take(2), true);
  const u32 = () => view.getUint32(take(4), true);
  function u64(): number {
    const value = view.getBigUint64(take(8), true);
    if (value > BigInt(bytes.length)) refuse('impossible length', `at most ${bytes.length}`, `${value}`);
    return Number(value);
  }

  function text(length: number): string {
    limit(length, LIMITS.text, 'bytes of text');
    const from = take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(from, at));
    } catch {
      return refuse('a text is not UTF-8');
    }
  }
  /** Bytes that Python 2 wrote as text. */
  function latin(length: number): string {
    limit(length, LIMITS.text, 'bytes of text');
    return Array.from(bytes.subarray(take(length), at), (byte) => String.fromCharCode(byte)).join('');
  }
  function line(): string {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) take(bytes.length - at + 1);
    const value = text(end - at);
    at++;
    return value;
  }
  function integer(digits: string): number | bigint {
    const plain = digits.replace(/L$/, '');
    if (!/^[+-]?\d{1,2000}$/.test(plain)) refuse('not a whole number', 'digits', quoted(digits));
    return narrow(BigInt(plain));
  }
  function long(length: number): number | bigint {
    limit(length, LIMITS.integer, 'bytes of a whole number');
    const from = take(length);
    let hex = '';
    for (let i = at - 1; i >= from; i--) hex += bytes[i]!.toString(16).padStart(2, '0');
    return hex === '' ? 0 : narrow(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  }

  function push(value: PickleValue): void {
    limit(stack.length + 1, LIMITS.stack, 'values on the stack');
    stack.push(value);
  }
  /** The values since the last mark lie beyond reach of what precedes it. */
  const floor = () => marks.at(-1) ?? 0;
  function pop(): PickleValue {
    if (stack.length <= floor()) refuse('the stack is empty');
    return stack.pop()!;
  }
  function top(): PickleValue {
    if (stack.length <= floor()) refuse('the stack is empty');
    return stack.at(-1)!;
  }
  function popMark(): PickleValue[] {
    const mark = marks.pop();
    if (mark === undefined) return refuse('no mark on the stack');
    return stack.splice(mark);
  }
  function put(index: number): void {
    limit(index, LIMITS.memo, 'values in the memo');
    memo.set(index, top());
  }
  function get(index: number): void {
    const value = memo.get(index);
    if (value === undefined) {
      refuse('nothing in the memo under this number', 'a number that was put', `${index}`);
    }
    push(value);
  }
  function append(items: readonly PickleValue[]): void {
    const list = top();
    if (!(list instanceof PyList)) refuse('not a list', 'a list', kindOf(list));
    for (const item of items) list.items.push(item);
  }
  function setItems(items: readonly PickleValue[]): void {
    const dict = top();
    if (!(dict instanceof PyDict)) refuse('not a dict', 'a dict', kindOf(dict));
    fill(dict, items);
  }
  function fill(dict: PyDict, items: readonly PickleValue[]): PyDict {
    if (items.length % 2) refuse('a key without a value');
    for (let i = 0; i < items.length; i += 2) setItem(dict, items[i]!, items[i + 1]!, refuse);
    return dict;
  }
  function popTuple(length: number): void {
    if (stack.length - floor() < length) refuse('the stack is empty');
    push(new PyTuple(stack.splice(stack.length - length)));
  }
  function name(value: PickleValue): string {
    return typeof value === 'string' ? value : refuse('not a name', 'a text', kindOf(value));
  }
  function number(digits: string): number {
    const value = Number(digits);
    if (digits.trim() === '' || Number.isNaN(value) !== (digits === 'nan')) {
      refuse('not a number', 'digits', quoted(digits));
    }
    return value;
  }

  const run: Record<string, () => void> = {
    PROTO: () => {
      const version = u8();
      if (version > 5) refuse('a newer pickle protocol', 'at most 5', `${version}`);
    },
    // Frames only say how much to read ahead.
    FRAME: () => void u64(),
    MARK: () => {
      limit(marks.length + 1, LIMITS.marks, 'nested containers');
      marks.push(stack.length);
    },
    POP: () => {
      // Of an empty part, it is the mark that goes.
      if (marks.at(-1) === stack.length) marks.pop();
      else pop();
    },
    POP_MARK: () => void popMark(),
    DUP: () => push(top()),
    NONE: () => push(null),
    NEWTRUE: () => push(true),
    NEWFALSE: () => push(false),
    INT: () => {
      const digits = line();
      push(digits === '01' ? true : digits === '00' ? false : integer(digits));
    },
    BININT: () => push(view.getInt32(take(4), true)),
    BININT1: () => push(u8()),
    BININT2: () => push(u16()),
    LONG: () => push(integer(line())),
    LONG1: () => push(long(u8())),
    LONG4: () => push(long(u32())),
    FLOAT: () => push(number(line())),
    BINFLOAT: () => push(view.getFloat64(take(8))),
    STRING: () => {
      const quotedText = line();
      const match = /^(['"])([^\\]*)\1$/.exec(quotedText);
      push(match ? match[2]! : refuse('not a plain text in quotes', 'a text', quoted(quotedText)));
    },
    BINSTRING: () => push(latin(u32())),
    SHORT_BINSTRING: () => push(latin(u8())),
    UNICODE: () => push(line()),
    BINUNICODE: () => push(text(u32())),
    SHORT_BINUNICODE: () => push(text(u8())),
    BINUNICODE8: () => push(text(u64())),
    BINBYTES: () => push(bytes.subarray(take(u32()), at)),
    SHORT_BINBYTES: () => push(bytes.subarray(take(u8()), at)),
    BINBYTES8: () => push(bytes.subarray(take(u64()), at)),
    BYTEARRAY8: () => push(bytes.subarray(take(u64()), at)),
    EMPTY_LIST: () => push(new PyList()),
    APPEND: () => append([pop()]),
    APPENDS: () => append(popMark()),
    LIST: () => {
      const items = popMark();
      push(new PyList());
      append(items);
    },
    EMPTY_TUPLE: () => push(new PyTuple([])),
    TUPLE: () => push(new PyTuple(popMark())),
    TUPLE1: () => popTuple(1),
    TUPLE2: () => popTuple(2),
    TUPLE3: () => popTuple(3),
    EMPTY_DICT: () => push(new PyDict()),
    DICT: () => push(fill(new PyDict(), popMark())),
    SETITEM: () => {
      const value = pop();
      setItems([pop(), value]);
    },
    SETITEMS: () => setItems(popMark()),
    EMPTY_SET: () => push(new PySet([])),
    ADDITEMS: () => {
      const items = popMark();
      const set = pop();
      if (!(set instanceof PySet)) refuse('not a set', 'a set', kindOf(set));
      // A set that is in the memo already keeps what it had: nothing reads its members.
      push(new PySet([...set.items, ...items]));
    },
    FROZENSET: () => push(new PySet(popMark())),
    GET: () => get(Number(integer(line()))),
    BINGET: () => get(u8()),
    LONG_BINGET: () => get(u32()),
    PUT: () => put(Number(integer(line()))),
    BINPUT: () => put(u8()),
    LONG_BINPUT: () => put(u32()),
    MEMOIZE: () => put(memo.size),
    GLOBAL: () => {
      const module = line();
      push(lookUp(module, line(), refuse));
    },
    STACK_GLOBAL: () => {
      const what = name(pop());
      push(lookUp(name(pop()), what, refuse));
    },
    REDUCE: () => {
      const args = pop();
      push(build(pop(), args, refuse));
    },
    NEWOBJ: () => {
      const args = pop();
      push(newObject(pop(), args, refuse));
    },
    BUILD: () => {
      const state = pop();
      buildState(top(), state, refuse);
    },
    BINPERSID: () => push(persistent(pop(), refuse)),
  };

  limit(bytes.length - start, LIMITS.bytes, 'bytes');
  for (let count = 1; ; count++) {
    opcodeAt = at;
    const byte = bytes[take(1)]!;
    const known = OPCODES.get(byte);
    if (known === undefined) {
      opcode = `0x${byte.toString(16).padStart(2, '0')}`;
      refuse('not an opcode');
    }
    opcode = known!;
    limit(count, LIMITS.opcodes, 'opcodes');
    if (opcode === 'STOP') {
      const value = pop();
      if (stack.length > 0 || marks.length > 0) refuse('values are left over at the end');
      stack = [];
      return { value, end: at };
    }
    if (REFUSED.has(opcode)) {
      const named = opcode === 'INST' ? quoted(`${line()}.${line()}`) : undefined;
      refuse(
        'the pickle makes an object, or reaches outside itself; it is not run',
        'tensors and plain containers',
        named,
      );
    }
    run[opcode]!();
    if (count % 2048 === 0) await breathe();
  }
}

/** A number where it is exact. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
