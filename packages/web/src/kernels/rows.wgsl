// Rows in chunks, one after the other: LANES invocations take a chunk, so that a workgroup has WIDTH / LANES of them.
// Needs bits.wgsl.

struct Params {
  // Chunks of the window, see chunk_of; rows, for the entry points that put chunks together.
  first: u32, count: u32, stride: u32,
  // Values of a row: here, and in all.
  cols: u32, all_cols: u32,
  // Values of a chunk; chunks of a row: here, the first here, and in all.
  chunk: u32, chunks: u32, first_chunk: u32, all_chunks: u32,
  // First value in its window, elements between two rows; the number of the first row.
  x: u32, ld: u32, row: u32,
  // What an op adds.
  option: u32,
}
@group(0) @binding(0) var<uniform> p: Params;

const WIDTH = 64u;
/// 1, 8 or 64.
override LANES: u32;

struct Chunk {
  // First value, and how many: none outside of the grid.
  begin: u32, size: u32,
  row: u32,
  // Where its results go: chunks of a row are neighbours.
  place: u32,
}

fn chunk_of(t: u32, group: vec3u) -> Chunk {
  let item = p.first + group.y * p.stride + group.x * (WIDTH / LANES) + t / LANES;
  if (item >= p.first + p.count) { return Chunk(); }
  let row = item / p.chunks;
  let chunk = item % p.chunks;
  let begin = chunk * p.chunk;
  let size = min(p.chunk, p.cols - begin);
  let place = (p.row + row) * p.all_chunks + p.first_chunk + chunk;
  return Chunk(p.x + row * p.ld + begin, size, p.row + row, place);
}

/// Values of a chunk of a row.
fn size_of_chunk(chunk: u32) -> u32 {
  return min(p.chunk, p.all_cols - chunk * p.chunk);
}

var<workgroup> of_lanes: array<u32, WIDTH>;

/// The sum of a value of each lane, the same in all lanes of a chunk.
fn sum_over_lanes(t: u32, value: f32) -> f32 {
  if (LANES == 1u) { return value; }
  of_lanes[t] = bitcast<u32>(value);
  workgroupBarrier();
  let begin = t - t % LANES;
  var sum = 0.0;
  for (var i = begin; i < begin + LANES; i++) { sum += bitcast<f32>(of_lanes[i]); }
  workgroupBarrier();
  return sum;
}

/// The largest key of all lanes.
fn max_over_lanes(t: u32, key: u32) -> u32 {
  if (LANES == 1u) { return key; }
  of_lanes[t] = key;
  workgroupBarrier();
  let begin = t - t % LANES;
  var largest = key;
  for (var i = begin; i < begin + LANES; i++) { largest = max(largest, of_lanes[i]); }
  workgroupBarrier();
  return largest;
}

/// An integer in the order of the floats with these bits, above 0; the largest of all for NaN.
fn key_of(bits: u32) -> u32 {
  if (is_nan(bits)) { return 0xffffffffu; }
  return select(bits | SIGN, ~bits, (bits & SIGN) != 0u);
}

/// The bits of such a key.
fn bits_of(key: u32) -> u32 {
  return select(~key, key ^ SIGN, (key & SIGN) != 0u);
}
