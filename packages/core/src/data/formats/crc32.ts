/** CRC-32 of gzip, zip and PNG: polynomial 0xedb88320, reflected (RFC 1952, section 8). */

const tables = makeTables();

/** Table 0 steps one byte; table k steps a byte that k zero bytes follow, so that eight bytes go at once. */
function makeTables(): Int32Array[] {
  const result = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    result[0]![n] = c;
  }
  for (let n = 0; n < 256; n++) {
    let c = result[0]![n]!;
    for (let k = 1; k < 8; k++) {
      c = result[0]![c & 255]! ^ (c >>> 8);
      result[k]![n] = c;
    }
  }
  return result;
}

/**
 * @param bytes data to add
 * @param crc the CRC of what came before, 0 at the start
 * @returns an unsigned 32-bit number
 */
export function crc32(bytes: Uint8Array, crc = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  let c = ~crc;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      t7[c & 255]! ^
      t6[(c >>> 8) & 255]! ^
      t5[(c >>> 16) & 255]! ^
      t4[c >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) c = t0[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
