// y[head, pair] = table[bucket of the pair, head], bit by bit.

struct Params {
  first: u32, count: u32, stride: u32,
  // Pairs of a query and a key here; the first head here, and all of them.
  pairs: u32, head: u32, heads: u32,
  table: u32, buckets: u32, y: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> table: array<u32>;
@group(1) @binding(1) var<storage, read> buckets: array<u32>;
@group(1) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let head = p.head + item / p.pairs;
  let bucket = buckets[p.buckets + item % p.pairs];
  y[p.y + item] = table[p.table + bucket * p.heads + head];
}
