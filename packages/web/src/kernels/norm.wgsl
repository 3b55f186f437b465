// Mean and sum of squared deviations of each chunk; then those of each row (Chan, Golub and LeVeque 1983). Values of
// a "stable" norm are first divided by the largest of their row, whose chunks' maxima come before.

@group(1) @binding(0) var<storage, read> x: array<u32>;
// Of each chunk the key of its largest value.
@group(1) @binding(1) var<storage, read_write> maxima: array<u32>;
// Of chunk c: mean at [3 c], squares at [3 c + 1], the divisor of its values at [3 c + 2]; in the end, at the first
// chunk of each row, those of the row.
@group(1) @binding(2) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(WIDTH)
fn largest(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  let lane = t % LANES;
  var key = 0u;
  for (var i = lane; i < chunk.size; i += LANES) { key = max(key, key_of(x[chunk.begin + i])); }
  key = max_over_lanes(t, key);
  if (lane == 0u && chunk.size > 0u) { maxima[chunk.place] = key; }
}

@compute @workgroup_size(WIDTH)
fn moments(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  let lane = t % LANES;
  let divisor = divisor_of(chunk.row);
  let size = f32(chunk.size);
  var sum = 0.0;
  for (var i = lane; i < chunk.size; i += LANES) { sum += value_at(chunk.begin + i, divisor); }
  let mean = sum_over_lanes(t, sum) / size;
  var rest = 0.0;
  var squares = 0.0;
  for (var i = lane; i < chunk.size; i += LANES) {
    let d = value_at(chunk.begin + i, divisor) - mean;
    rest += d;
    squares += d * d;
  }
  // What the mean lacks by rounding is taken from both results.
  rest = sum_over_lanes(t, rest);
  squares = sum_over_lanes(t, squares) - rest * rest / size;
  if (lane > 0u || chunk.size == 0u) { return; }
  partials[3u * chunk.place] = mean + rest / size;
  partials[3u * chunk.place + 1u] = select(squares, 0.0, squares < 0.0);
  partials[3u * chunk.place + 2u] = divisor;
}

fn divisor_of(row: u32) -> f32 {
  if (p.option == 0u) { return 1.0; }
  var key = 0u;
  for (var i = row * p.all_chunks; i < (row + 1u) * p.all_chunks; i++) { key = max(key, maxima[i]); }
  return bitcast<f32>(bits_of(key));
}

fn value_at(i: u32, divisor: f32) -> f32 {
  let value = bitcast<f32>(x[i]);
  if (p.option == 0u) { return value; }
  return value / divisor;
}

@compute @workgroup_size(WIDTH)
fn merge(@builtin(global_invocation_id) id: vec3u) {
  let row = item_of(id);
  if (is_outside(row)) { return; }
  let begin = row * p.all_chunks;
  var mean = 0.0;
  for (var chunk = 0u; chunk < p.all_chunks; chunk++) {
    mean += partials[3u * (begin + chunk)] * (f32(size_of_chunk(chunk)) / f32(p.all_cols));
  }
  var squares = 0.0;
  for (var chunk = 0u; chunk < p.all_chunks; chunk++) {
    let d = partials[3u * (begin + chunk)] - mean;
    squares += partials[3u * (begin + chunk) + 1u] + f32(size_of_chunk(chunk)) * d * d;
  }
  partials[3u * begin] = mean;
  partials[3u * begin + 1u] = squares;
}
