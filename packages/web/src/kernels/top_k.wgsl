// The k best entries of each row. `choose` finds the key of the k-th by its digits (radix selection) and lists the
// entries that are in, by index; `rank` puts each at its place. Keys are integers in the order of the values, best
// first, equal for equal values, largest for NaN: the result is exact.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32, k: u32, smallest: u32,
  x: u32, ld: u32, chosen: u32, chosen_index: u32, values: u32, indices: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read_write> chosen: array<u32>;
@group(1) @binding(2) var<storage, read_write> chosen_index: array<u32>;
@group(1) @binding(3) var<storage, read_write> values: array<u32>;
@group(1) @binding(4) var<storage, read_write> indices: array<u32>;

fn key_of(bits: u32) -> u32 {
  if (is_nan(bits)) { return 0xffffffffu; }
  // Both zeros are equal.
  let value = select(bits, 0u, bits == SIGN);
  let ascending = select(value | SIGN, ~value, (value & SIGN) != 0u);
  return select(~ascending, ascending, p.smallest != 0u);
}

const WIDTH = 64u;
var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> digit: u32;
var<workgroup> still_wanted: u32;
var<workgroup> better_before: array<u32, WIDTH>;
var<workgroup> equal_before: array<u32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn choose(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let row = p.first + group.y * p.stride + group.x;
  if (group.x >= p.stride || row >= p.first + p.count) { return; }
  let from_ = p.x + row * p.ld;

  // Digit by digit, from the highest: the bucket in which the k-th key lies.
  var prefix = 0u;
  var known = 0u;
  var wanted = p.k;
  for (var shift = 24i; shift >= 0; shift -= 8) {
    for (var i = t; i < 256u; i += WIDTH) { atomicStore(&histogram[i], 0u); }
    workgroupBarrier();
    for (var col = t; col < p.cols; col += WIDTH) {
      let key = key_of(x[from_ + col]);
      if ((key & known) == prefix) { atomicAdd(&histogram[(key >> u32(shift)) & 255u], 1u); }
    }
    workgroupBarrier();
    if (t == 0u) {
      var left = wanted;
      var bucket = 0u;
      for (; bucket < 255u; bucket++) {
        let size = atomicLoad(&histogram[bucket]);
        if (size >= left) { break; }
        left -= size;
      }
      digit = bucket;
      still_wanted = left;
    }
    prefix |= workgroupUniformLoad(&digit) << u32(shift);
    known |= 255u << u32(shift);
    wanted = workgroupUniformLoad(&still_wanted);
  }

  // Each invocation takes a stretch of the row, so that places follow the order of the indices.
  let stretch = (p.cols + WIDTH - 1u) / WIDTH;
  let begin = min(p.cols, t * stretch);
  let end = min(p.cols, begin + stretch);
  var better = 0u;
  var equal = 0u;
  for (var col = begin; col < end; col++) {
    let key = key_of(x[from_ + col]);
    better += u32(key < prefix);
    equal += u32(key == prefix);
  }
  better_before[t] = better;
  equal_before[t] = equal;
  workgroupBarrier();
  better = 0u;
  equal = 0u;
  for (var i = 0u; i < t; i++) {
    better += better_before[i];
    equal += equal_before[i];
  }
  for (var col = begin; col < end; col++) {
    let bits = x[from_ + col];
    let key = key_of(bits);
    if (key < prefix || (key == prefix && equal < wanted)) {
      let place = row * p.k + better + min(equal, wanted);
      chosen[p.chosen + place] = bits;
      chosen_index[p.chosen_index + place] = col;
    }
    better += u32(key < prefix);
    equal += u32(key == prefix);
  }
}

@compute @workgroup_size(64)
fn rank(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let row_start = item - item % p.k;
  let bits = chosen[p.chosen + item];
  let key = key_of(bits);
  var place = row_start;
  for (var other = row_start; other < row_start + p.k; other++) {
    let rival = key_of(chosen[p.chosen + other]);
    place += u32(rival < key || (rival == key && other < item));
  }
  values[p.values + place] = bits;
  indices[p.indices + place] = chosen_index[p.chosen_index + item];
}
