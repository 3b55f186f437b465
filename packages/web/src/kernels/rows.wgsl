// Rows in chunks, one after the other: `lanes` invocations take a chunk, so that a workgroup has WIDTH / lanes of them.
// Needs bits.wgsl, and these fields at the beginning of params:
//   first, count, stride            chunks of the window, see chunk_of; rows, for entry points that merge chunks
//   cols, all_cols                  values of a row: here, and in all
//   chunk                           values of a chunk
//   chunks, first_chunk, all_chunks chunks of a row: here, the first here, and in all
//   x, y, ld                        first values in their windows, elements between two rows of both
//   row                             the number of the first row
//   lanes                           1, 8 or 64

const WIDTH = 64u;

struct Chunk {
  // First values in x and y, and how many: none outside of the grid.
  x: u32, y: u32, size: u32,
  // Its row, and the number of its first value there.
  row: u32, col: u32,
  // Where its results go: chunks of a row are neighbours.
  place: u32,
}

fn chunk_of(t: u32, group: vec3u) -> Chunk {
  let item = p.first + group.y * p.stride + group.x * (WIDTH / p.lanes) + t / p.lanes;
  if (item >= p.first + p.count) { return Chunk(); }
  let row = item / p.chunks;
  let index = item % p.chunks;
  let begin = index * p.chunk;
  let at = row * p.ld + begin;
  let size = min(p.chunk, p.cols - begin);
  let place = (p.row + row) * p.all_chunks + p.first_chunk + index;
  return Chunk(p.x + at, p.y + at, size, p.row + row, p.first_chunk * p.chunk + begin, place);
}

/// Values of a chunk of a row.
fn size_of_chunk(chunk: u32) -> u32 {
  return min(p.chunk, p.all_cols - chunk * p.chunk);
}

var<workgroup> of_lanes: array<vec2u, WIDTH>;

/// The sums of two values of each lane, the same in all lanes of a chunk.
fn sum_over_lanes(t: u32, values: vec2f) -> vec2f {
  if (p.lanes == 1u) { return values; }
  of_lanes[t] = bitcast<vec2u>(values);
  workgroupBarrier();
  let begin = t - t % p.lanes;
  var sums = vec2f();
  for (var i = begin; i < begin + p.lanes; i++) { sums += bitcast<vec2f>(of_lanes[i]); }
  workgroupBarrier();
  return sums;
}

/// The largest key of all lanes.
fn max_over_lanes(t: u32, key: u32) -> u32 {
  if (p.lanes == 1u) { return key; }
  of_lanes[t].x = key;
  workgroupBarrier();
  let begin = t - t % p.lanes;
  var largest = key;
  for (var i = begin; i < begin + p.lanes; i++) { largest = max(largest, of_lanes[i].x); }
  workgroupBarrier();
  return largest;
}

/// An integer in the order of the floats with these bits, above 0; the largest of all for NaN.
fn key_of(bits: u32) -> u32 {
  return select(ordered(bits), 0xffffffffu, is_nan(bits));
}

/// The bits of such a key.
fn bits_of(key: u32) -> u32 {
  return select(~key, key ^ SIGN, (key & SIGN) != 0u);
}
