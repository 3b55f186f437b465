import { decodeElements, type ElementType, elementBytes, hostIsLittleEndian } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { Source } from '../source.ts';
import type { SyncSource } from '../syncSource.ts';
import { type ArrayType, asValues, newBlocks, scatter, typeFor } from './blocks.ts';
import { checkBlock, type HalfSource, type MatrixSource, type Values } from './matrix.ts';
import { type Span, spansOf } from './spans.ts';

/** Where rows lie one behind the other in a file: npy, safetensors. */
export interface PackedRows {
  readonly source: Source;
  /** What errors call it; the source's name by default. */
  readonly name?: string;
  /** First byte of the first row. */
  readonly offset: number;
  readonly dtype: ElementType;
  readonly littleEndian?: boolean;
  /** [rows, ...] */
  readonly shape: readonly number[];
}

/** Whole rows are read in pieces of this size. */
const PIECE_BYTES = 4 * 2 ** 20;

/**
 * Share of a row from which on all of it is read: above, skipping the rest saves less than one large read does. A read that
 * waits for the event loop costs some 100 µs, as much as a few hundred kilobytes.
 */
const WHOLE_ROW_SHARE = { atOnce: 1 / 2, waiting: 1 / 16 } as const;

/**
 * A matrix whose rows lie in a file one behind the other. Where the platform reads at once (`Source.openSync`), pieces of
 * rows are read so, with pauses for the event loop: a block of columns of thousands of rows is thousands of small reads.
 * The file stays open until `close()`.
 *
 * @returns float64 for types that float32 cannot hold (f64, integers of 32 bits and more), else float32
 */
export function packedMatrix(packed: PackedRows): MatrixSource {
  const { source, offset, dtype, littleEndian = true, shape } = packed;
  const name = packed.name ?? source.name;
  const [rows = 0, ...own] = shape;
  const columns = own.reduce((product, extent) => product * extent, 1);
  const size = elementBytes(dtype);
  const rowBytes = columns * size;
  const native = littleEndian === hostIsLittleEndian;
  /** Do the bytes of the file need no conversion? */
  const plain = (dtype === 'f32' || dtype === 'f64') && native;
  const Type = typeFor(dtype);
  let open: SyncSource | undefined;

  const matrix: MatrixSource & Required<Pick<MatrixSource, 'readBlocks' | 'close'>> = {
    name,
    rows,
    columns,
    shape: own,
    async read(wanted, from, to, signal, into) {
      return (await matrix.readBlocks(wanted, [from, to], signal, into && [into]))[0]!;
    },
    async readBlocks(wanted, edges, signal, into) {
      checkBlock(matrix, wanted, edges);
      const blocks = newBlocks(Type, wanted.length, edges, name, into);
      await fill(blocks, wanted, edges, plain, plain ? (bytes) => viewed(Type, bytes) : decode, signal);
      return blocks;
    },
    ...((dtype === 'f16' || dtype === 'bf16') && native
      ? {
          halves: {
            dtype,
            async readBlocks(wanted, edges, signal, into) {
              checkBlock(matrix, wanted, edges);
              const blocks = newBlocks(Uint16Array, wanted.length, edges, name, into);
              await fill(blocks, wanted, edges, true, (bytes) => viewed(Uint16Array, bytes), signal);
              return blocks;
            },
          } satisfies HalfSource,
        }
      : {}),
    close() {
      open?.close?.();
      open = undefined;
    },
  };
  return matrix;

  /** @param asTheyLie may bytes of the file be read right into a block? */
  async function fill<T extends Values | Uint16Array>(
    blocks: readonly T[],
    wanted: ArrayLike<number>,
    edges: readonly number[],
    asTheyLie: boolean,
    convert: (bytes: Uint8Array) => NoInfer<T>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const [from, to] = [edges[0]!, edges.at(-1)!];
    if (from === to || wanted.length === 0) return;
    open ??= source.openSync?.();
    const share = open ? WHOLE_ROW_SHARE.atOnce : WHOLE_ROW_SHARE.waiting;
    const whole = to - from >= share * columns;
    const [begin, end] = whole ? [0, columns] : [from, to];
    const width = (end - begin) * size;
    const limit = whole ? Math.max(1, Math.floor(PIECE_BYTES / rowBytes)) : 1;
    const scratch = new Uint8Array(new ArrayBuffer(Math.min(limit, rows) * width));
    const breathe = pacer(signal, `reading ${name}`);
    for (const span of spansOf(wanted, limit)) {
      const at = offset + span.first * rowBytes + begin * size;
      const direct =
        asTheyLie && blocks.length === 1 ? destination(span, blocks[0]!, begin, end, edges) : undefined;
      const bytes = direct ?? scratch.subarray(0, span.count * width);
      if (open) readInto(open, at, bytes);
      else bytes.set(await source.read(at, bytes.length, signal));
      if (!direct) scatter(convert(bytes), span, begin, end - begin, blocks, edges);
      await breathe();
    }
  }

  function decode(bytes: Uint8Array): Values {
    return asValues({ dtype, shape: [], data: decodeElements(bytes, dtype, name, littleEndian) }, name);
  }
}

function viewed<T extends Values | Uint16Array>(Type: ArrayType<T>, bytes: Uint8Array): T {
  const size = (Type as unknown as Float32ArrayConstructor).BYTES_PER_ELEMENT;
  return new Type(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / size);
}

/** The part of a block that takes the bytes of a span as they lie, if there is one. */
function destination(
  { count, places }: Span,
  block: Values | Uint16Array,
  begin: number,
  end: number,
  edges: readonly number[],
): Uint8Array | undefined {
  if (begin !== edges[0] || end !== edges[1] || count !== places.length) return undefined;
  if (places.some((place, i) => place !== places[0]! + i)) return undefined;
  const width = (end - begin) * block.BYTES_PER_ELEMENT;
  return new Uint8Array(block.buffer, block.byteOffset + places[0]! * width, count * width);
}

function readInto(source: SyncSource, offset: number, bytes: Uint8Array): void {
  if (source.readIntoSync) source.readIntoSync(offset, bytes);
  else bytes.set(source.readSync(offset, bytes.length));
}
