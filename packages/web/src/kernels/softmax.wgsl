// The largest value of each chunk and the sum of exp(value - largest); then those of each row.

@group(1) @binding(0) var<storage, read> x: array<u32>;
// Of chunk c: largest at [2 c], sum at [2 c + 1]; in the end, at the first chunk of each row, those of the row.
@group(1) @binding(1) var<storage, read_write> partials: array<u32>;

@compute @workgroup_size(WIDTH)
fn chunk(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let chunk = chunk_of(t, group);
  let lane = t % LANES;
  var key = 0u;
  for (var i = lane; i < chunk.size; i += LANES) { key = max(key, key_of(x[chunk.begin + i])); }
  let largest = bits_of(max_over_lanes(t, key));
  var sum = 0.0;
  for (var i = lane; i < chunk.size; i += LANES) { sum += share_of(x[chunk.begin + i], largest); }
  sum = sum_over_lanes(t, sum);
  if (lane > 0u || chunk.size == 0u) { return; }
  partials[2u * chunk.place] = largest;
  partials[2u * chunk.place + 1u] = bitcast<u32>(sum);
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
    sum += share_of(partials[2u * i], largest) * bitcast<f32>(partials[2u * i + 1u]);
  }
  partials[2u * begin] = largest;
  partials[2u * begin + 1u] = bitcast<u32>(sum);
}
