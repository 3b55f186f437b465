import { pacer } from '../../pause.ts';
import type { Refuse } from './globals.ts';
import { LIMITS } from './limits.ts';
import { REFUSED } from './opcodes.ts';
import { type Machine, OPERATIONS } from './operations.ts';
import { PickleReader } from './pickleReader.ts';
import { PickleStack } from './pickleStack.ts';
import { type PickleValue, quoted } from './values.ts';

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

/** Opcodes between two looks at the clock. */
const OPCODES_BETWEEN_BREATHS = 2048;

/**
 * Runs a pickle on a machine that can build tensors, numbers, texts and containers, and nothing else: an allow-list of
 * names (`globals.ts`), no classes, no calls, bounded in every way. The format: Python's `pickletools`.
 *
 * @throws FORMAT, naming the opcode and its place, for anything else; `PickleEndsEarly` where the bytes end before it does;
 *   CANCELLED
 */
export async function unpickle(bytes: Uint8Array, options: UnpickleOptions): Promise<Unpickled> {
  const { file, start = 0, persistent, signal } = options;
  const breathe = pacer(signal, `reading ${file}`);
  const reader = new PickleReader(bytes, start, file);
  const stack = new PickleStack(reader);
  const machine: Machine = { reader, stack, persistent: (id) => persistent(id, reader.refuse) };
  reader.limit(bytes.length - start, LIMITS.bytes, 'bytes');
  for (let count = 1; ; count++) {
    const opcode = reader.opcode();
    reader.limit(count, LIMITS.opcodes, 'opcodes');
    if (opcode === 'STOP') {
      const value = stack.pop();
      if (!stack.isEmpty) reader.refuse('values are left over at the end');
      return { value, end: reader.at };
    }
    if (REFUSED.has(opcode)) {
      const named = opcode === 'INST' ? quoted(`${reader.line()}.${reader.line()}`) : undefined;
      reader.refuse(
        'the pickle makes an object, or reaches outside itself; it is not run',
        'tensors and plain containers',
        named,
      );
    }
    OPERATIONS[opcode]!(machine);
    if (count % OPCODES_BETWEEN_BREATHS === 0) await breathe();
  }
}
