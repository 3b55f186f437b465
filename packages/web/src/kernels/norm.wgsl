// y = activation((x - mean) / sqrt(variance + eps) gain + bias): in one pass where a row is one chunk, else mean and
// squared deviations of each chunk, then those of each row (Chan, Golub and LeVeque 1983), then y. A "stable" norm
// divides the values of a row by the largest of them first. Needs rows.wgsl and activate.wgsl.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32, all_cols: u32,
  chunk: u32, chunks: u32, first_chunk: u32, all_chunks: u32,
  x: u32, y: u32, ld: u32, row: u32, lanes: u32,
  eps: f32, stable: u32, kind: u32,
  // Gains and biases of channels, where given: those from `channel` on.
  gain: u32, has_gain: u32, bias: u32, has_bias: u32, channel: u32,
  // Values of a channel in a row, channels of a row, rows that divide all channels among themselves, and which of
  // these row 0 is.
  pixels: u32, channels: u32, groups: u32, group: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;
// Of chunk c: mean at [3 c], squares at [3 c + 1], the bits of the divisor at [3 c + 2], which is first the largest
// value of the chunk; in the end, at the first chunk of each row, those of the row.
@group(1) @binding(2) var<storage, read_write> partials: array<u32>;
@group(1) @binding(3) var<storage, read> gain: array<f32>;
@group(1) @binding(4) var<storage, read> bias: array<f32>;

/// Mean and sum of squared deviations of some values over a divisor.
struct Moments {
  mean: f32,
  squares: f32,
  divisor: f32,
}

@compute @workgroup_size(WIDTH)
fn whole(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  var divisor = 1.0;
  if (p.stable != 0u) { divisor = bitcast<f32>(bits_of(largest_of(chunk, t))); }
  write(chunk, t, moments_of(chunk, t, divisor));
}

@compute @workgroup_size(WIDTH)
fn largest(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  let key = largest_of(chunk, t);
  if (t % p.lanes == 0u && chunk.size > 0u) { partials[3u * chunk.place + 2u] = bits_of(key); }
}

@compute @workgroup_size(WIDTH)
fn moments(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  let moments = moments_of(chunk, t, divisor_of(chunk.row));
  if (t % p.lanes > 0u || chunk.size == 0u) { return; }
  partials[3u * chunk.place] = bitcast<u32>(moments.mean);
  partials[3u * chunk.place + 1u] = bitcast<u32>(moments.squares);
}

@compute @workgroup_size(WIDTH)
fn merge(@builtin(global_invocation_id) id: vec3u) {
  let row = item_of(id);
  if (is_outside(row)) { return; }
  let begin = row * p.all_chunks;
  var mean = 0.0;
  for (var i = 0u; i < p.all_chunks; i++) {
    mean += bitcast<f32>(partials[3u * (begin + i)]) * (f32(size_of_chunk(i)) / f32(p.all_cols));
  }
  var squares = 0.0;
  for (var i = 0u; i < p.all_chunks; i++) {
    let d = bitcast<f32>(partials[3u * (begin + i)]) - mean;
    squares += bitcast<f32>(partials[3u * (begin + i) + 1u]) + f32(size_of_chunk(i)) * d * d;
  }
  partials[3u * begin] = bitcast<u32>(mean);
  partials[3u * begin + 1u] = bitcast<u32>(squares);
  partials[3u * begin + 2u] = bitcast<u32>(divisor_of(row));
}

@compute @workgroup_size(WIDTH)
fn apply(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  let at = 3u * chunk.row * p.all_chunks;
  let mean = bitcast<f32>(partials[at]);
  write(chunk, t, Moments(mean, bitcast<f32>(partials[at + 1u]), bitcast<f32>(partials[at + 2u])));
}

/// The key of the largest value of a chunk.
fn largest_of(chunk: Chunk, t: u32) -> u32 {
  var key = 0u;
  for (var i = t % p.lanes; i < chunk.size; i += p.lanes) { key = max(key, key_of(x[chunk.x + i])); }
  return max_over_lanes(t, key);
}

/// The largest value of a row, from those of its chunks.
fn divisor_of(row: u32) -> f32 {
  if (p.stable == 0u) { return 1.0; }
  var key = 0u;
  let end = (row + 1u) * p.all_chunks;
  for (var i = row * p.all_chunks; i < end; i++) { key = max(key, key_of(partials[3u * i + 2u])); }
  return bitcast<f32>(bits_of(key));
}

fn value_at(i: u32, divisor: f32) -> f32 {
  let value = bitcast<f32>(x[i]);
  if (p.stable == 0u) { return value; }
  return value / divisor;
}

fn moments_of(chunk: Chunk, t: u32, divisor: f32) -> Moments {
  let lane = t % p.lanes;
  let size = f32(chunk.size);
  var sum = 0.0;
  for (var i = lane; i < chunk.size; i += p.lanes) { sum += value_at(chunk.x + i, divisor); }
  let mean = sum_over_lanes(t, vec2f(sum, 0.0)).x / size;
  // Of the deviations, the sum and that of the squares.
  var sums = vec2f();
  for (var i = lane; i < chunk.size; i += p.lanes) {
    let d = value_at(chunk.x + i, divisor) - mean;
    sums += vec2f(d, d * d);
  }
  // What the mean lacks by rounding is taken from both results.
  sums = sum_over_lanes(t, sums);
  let rest = sums.x / size;
  let squares = sums.y - rest * sums.x;
  return Moments(mean + rest, select(squares, 0.0, squares < 0.0), divisor);
}

fn write(chunk: Chunk, t: u32, moments: Moments) {
  let inverse = inverseSqrt(moments.squares / f32(p.all_cols) + p.eps);
  let first_channel = ((p.group + chunk.row) % p.groups) * p.channels - p.channel;
  for (var i = t % p.lanes; i < chunk.size; i += p.lanes) {
    var channel = first_channel + chunk.col + i;
    if (p.pixels > 1u) { channel = first_channel + (chunk.col + i) / p.pixels; }
    var value = (value_at(chunk.x + i, moments.divisor) - moments.mean) * inverse;
    if (p.has_gain != 0u) { value *= gain[p.gain + channel]; }
    if (p.has_bias != 0u) { value += bias[p.bias + channel]; }
    y[chunk.y + i] = activate(p.kind, value);
  }
}
