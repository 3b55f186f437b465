import { build, buildState, lookUp, newObject } from './globals.ts';
import type { PickleReader } from './pickleReader.ts';
import type { PickleStack } from './pickleStack.ts';
import { type PickleValue, PyDict, PyList, PySet, PyTuple, quoted } from './values.ts';

/** A pickle machine as its operations see it. */
export interface Machine {
  readonly reader: PickleReader;
  readonly stack: PickleStack;
  /** What a persistent id stands for. */
  persistent(id: PickleValue): PickleValue;
}

/** What opcodes do, by their names in `OPCODES`; STOP and those that are refused are not here. */
export const OPERATIONS: Readonly<Record<string, (machine: Machine) => void>> = {
  PROTO: ({ reader }) => {
    const version = reader.u8();
    if (version > 5) reader.refuse('a newer pickle protocol', 'at most 5', `${version}`);
  },
  // Frames only say how much to read ahead.
  FRAME: ({ reader }) => void reader.u64(),

  MARK: ({ stack }) => stack.mark(),
  POP: ({ stack }) => stack.drop(),
  POP_MARK: ({ stack }) => void stack.popMark(),
  DUP: ({ stack }) => stack.push(stack.top()),

  NONE: ({ stack }) => stack.push(null),
  NEWTRUE: ({ stack }) => stack.push(true),
  NEWFALSE: ({ stack }) => stack.push(false),
  INT: ({ reader, stack }) => {
    const digits = reader.line();
    stack.push(digits === '01' ? true : digits === '00' ? false : reader.digits(digits));
  },
  BININT: ({ reader, stack }) => stack.push(reader.i32()),
  BININT1: ({ reader, stack }) => stack.push(reader.u8()),
  BININT2: ({ reader, stack }) => stack.push(reader.u16()),
  LONG: ({ reader, stack }) => stack.push(reader.digits()),
  LONG1: ({ reader, stack }) => stack.push(reader.long(reader.u8())),
  LONG4: ({ reader, stack }) => stack.push(reader.long(reader.u32())),
  FLOAT: ({ reader, stack }) => stack.push(reader.number()),
  BINFLOAT: ({ reader, stack }) => stack.push(reader.f64()),

  STRING: ({ reader, stack }) => {
    const line = reader.line();
    const match = /^(['"])([^\\]*)\1$/.exec(line);
    stack.push(match ? match[2]! : reader.refuse('not a plain text in quotes', 'a text', quoted(line)));
  },
  BINSTRING: ({ reader, stack }) => stack.push(reader.latin(reader.u32())),
  SHORT_BINSTRING: ({ reader, stack }) => stack.push(reader.latin(reader.u8())),
  UNICODE: ({ reader, stack }) => stack.push(reader.line()),
  BINUNICODE: ({ reader, stack }) => stack.push(reader.text(reader.u32())),
  SHORT_BINUNICODE: ({ reader, stack }) => stack.push(reader.text(reader.u8())),
  BINUNICODE8: ({ reader, stack }) => stack.push(reader.text(reader.u64())),
  BINBYTES: ({ reader, stack }) => stack.push(reader.bytes(reader.u32())),
  SHORT_BINBYTES: ({ reader, stack }) => stack.push(reader.bytes(reader.u8())),
  BINBYTES8: ({ reader, stack }) => stack.push(reader.bytes(reader.u64())),
  BYTEARRAY8: ({ reader, stack }) => stack.push(reader.bytes(reader.u64())),

  EMPTY_LIST: ({ stack }) => stack.push(new PyList()),
  APPEND: ({ stack }) => stack.append([stack.pop()]),
  APPENDS: ({ stack }) => stack.append(stack.popMark()),
  LIST: ({ stack }) => {
    const items = stack.popMark();
    stack.push(new PyList());
    stack.append(items);
  },
  EMPTY_TUPLE: ({ stack }) => stack.push(new PyTuple([])),
  TUPLE: ({ stack }) => stack.push(new PyTuple(stack.popMark())),
  TUPLE1: ({ stack }) => stack.push(stack.popTuple(1)),
  TUPLE2: ({ stack }) => stack.push(stack.popTuple(2)),
  TUPLE3: ({ stack }) => stack.push(stack.popTuple(3)),
  EMPTY_DICT: ({ stack }) => stack.push(new PyDict()),
  DICT: ({ stack }) => {
    const items = stack.popMark();
    stack.push(new PyDict());
    stack.setItems(items);
  },
  SETITEM: ({ stack }) => {
    const value = stack.pop();
    stack.setItems([stack.pop(), value]);
  },
  SETITEMS: ({ stack }) => stack.setItems(stack.popMark()),
  EMPTY_SET: ({ stack }) => stack.push(new PySet([])),
  ADDITEMS: ({ stack }) => stack.addItems(stack.popMark()),
  FROZENSET: ({ stack }) => stack.push(new PySet(stack.popMark())),

  GET: ({ reader, stack }) => stack.get(Number(reader.digits())),
  BINGET: ({ reader, stack }) => stack.get(reader.u8()),
  LONG_BINGET: ({ reader, stack }) => stack.get(reader.u32()),
  PUT: ({ reader, stack }) => stack.put(Number(reader.digits())),
  BINPUT: ({ reader, stack }) => stack.put(reader.u8()),
  LONG_BINPUT: ({ reader, stack }) => stack.put(reader.u32()),
  MEMOIZE: ({ stack }) => stack.put(stack.memoized),

  GLOBAL: ({ reader, stack }) => {
    const module = reader.line();
    stack.push(lookUp(module, reader.line(), reader.refuse));
  },
  STACK_GLOBAL: ({ reader, stack }) => {
    const name = stack.popName();
    stack.push(lookUp(stack.popName(), name, reader.refuse));
  },
  REDUCE: ({ reader, stack }) => {
    const args = stack.pop();
    stack.push(build(stack.pop(), args, reader.refuse));
  },
  NEWOBJ: ({ reader, stack }) => {
    const args = stack.pop();
    stack.push(newObject(stack.pop(), args, reader.refuse));
  },
  BUILD: ({ reader, stack }) => {
    const state = stack.pop();
    buildState(stack.top(), state, reader.refuse);
  },
  BINPERSID: ({ stack, persistent }) => stack.push(persistent(stack.pop())),
};
