// y = exp(x - largest) / sum, or its logarithm: in one pass where a row is one chunk, else the largest value and the
// sum of each chunk, then those of each row, then y. Needs rows.wgsl and exponential.wgsl.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32, all_cols: u32,
  chunk: u32, chunks: u32, first_chunk: u32, all_chunks: u32,
  x: u32, y: u32, ld: u32, row: u32, lanes: u32,
  log: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read_write> y: array<u32>;
// Of chunk c: largest at [2 c], sum at [2 c + 1]; in the end, at the first chunk of each row, those of the row.
@group(1) @binding(2) var<storage, read_write> partials: array<u32>;

/// The bits of the largest of some values, and the sum of exp(value - largest).
struct Total {
  largest: u32,
  sum: f32,
}

@compute @workgroup_size(WIDTH)
fn whole(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  write(chunk, t, total_of(chunk, t));
}

@compute @workgroup_size(WIDTH)
fn totals(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  let total = total_of(chunk, t);
  if (t % p.lanes == 0u && chunk.size > 0u) { save(chunk.place, total); }
}

@compute @workgroup_size(WIDTH)
fn merge(@builtin(global_invocation_id) id: vec3u) {
  let row = item_of(id);
  if (is_outside(row)) { return; }
  let begin = row * p.all_chunks;
  let end = begin + p.all_chunks;
  var key = 0u;
  for (var i = begin; i < end; i++) { key = max(key, key_of(partials[2u * i])); }
  let largest = bits_of(key);
  var sum = 0.0;
  for (var i = begin; i < end; i++) {
    let total = load(i);
    sum += share_of(total.largest, largest) * total.sum;
  }
  save(begin, Total(largest, sum));
}

@compute @workgroup_size(WIDTH)
fn apply(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  write(chunk, t, load(chunk.row * p.all_chunks));
}

fn load(place: u32) -> Total {
  return Total(partials[2u * place], bitcast<f32>(partials[2u * place + 1u]));
}

fn save(place: u32, total: Total) {
  partials[2u * place] = total.largest;
  partials[2u * place + 1u] = bitcast<u32>(total.sum);
}

fn total_of(chunk: Chunk, t: u32) -> Total {
  let lane = t % p.lanes;
  var key = 0u;
  for (var i = lane; i < chunk.size; i += p.lanes) { key = max(key, key_of(x[chunk.x + i])); }
  let largest = bits_of(max_over_lanes(t, key));
  var sum = 0.0;
  for (var i = lane; i < chunk.size; i += p.lanes) { sum += share_of(x[chunk.x + i], largest); }
  return Total(largest, sum_over_lanes(t, vec2f(sum, 0.0)).x);
}

/// exp(x - largest) by their bits: 0 for minus infinity, and where the largest is no number to compare with.
fn share_of(bits: u32, largest: u32) -> f32 {
  if (!is_finite(bits) || !is_finite(largest)) { return 0.0; }
  return exp_finite(bitcast<f32>(bits) - bitcast<f32>(largest));
}

/// The results of a chunk: NaN for a row of nothing but minus infinity, with a NaN or with infinity.
fn write(chunk: Chunk, t: u32, total: Total) {
  let log_sum = bitcast<f32>(logarithm(bitcast<u32>(total.sum)));
  for (var i = t % p.lanes; i < chunk.size; i += p.lanes) {
    let bits = x[chunk.x + i];
    var result = NAN;
    if (is_finite(total.largest)) {
      if (p.log == 0u) {
        result = bitcast<u32>(share_of(bits, total.largest) / total.sum);
      } else if (is_finite(bits)) {
        result = bitcast<u32>((bitcast<f32>(bits) - bitcast<f32>(total.largest)) - log_sum);
      } else {
        result = SIGN | INFINITY;
      }
    }
    y[chunk.y + i] = result;
  }
}
