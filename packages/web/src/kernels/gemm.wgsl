// Matrix product by tiles in workgroup memory: a workgroup of 16 x 16 computes 64 x 64 entries, an invocation 4 x 4.
// Tiles are stored k by k as quads of rows (of a) and columns (of b), however the operands lie in memory.

const QUADS = 16u;
const DEPTH = 16u;
var<workgroup> tile_a: array<vec4f, DEPTH * QUADS>;
var<workgroup> tile_b: array<vec4f, DEPTH * QUADS>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let row0 = group.y * 64u;
  let col0 = group.x * 64u;
  if (is_skipped(row0, col0, 64u)) { return; }
  choose_plane(group.z);
  // Neighbouring invocations read along the contiguous axis.
  let fast = t % 16u;
  let slow = t / 16u;
  let k_a = select(fast, slow, TRANS_A);
  let quad_a = select(slow, fast, TRANS_A);
  let k_b = select(slow, fast, TRANS_B);
  let quad_b = select(fast, slow, TRANS_B);

  var total: array<vec4f, 4>;
  var sums: array<vec4f, 4>;
  for (var k = 0u; k < p.k; k += DEPTH) {
    tile_a[k_a * QUADS + quad_a] = a_rows(row0 + quad_a * 4u, k + k_a);
    tile_b[k_b * QUADS + quad_b] = b_cols(k + k_b, col0 + quad_b * 4u);
    workgroupBarrier();
    for (var step = 0u; step < DEPTH; step++) {
      let x = tile_a[step * QUADS + slow];
      let w = tile_b[step * QUADS + fast];
      sums[0] += x.x * w;
      sums[1] += x.y * w;
      sums[2] += x.z * w;
      sums[3] += x.w * w;
    }
    workgroupBarrier();
    if ((k + DEPTH) % FOLD == 0u) {
      for (var i = 0u; i < 4u; i++) {
        total[i] += sums[i];
        sums[i] = vec4f();
      }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    store_row(row0 + slow * 4u + i, col0 + fast * 4u, total[i] + sums[i]);
  }
}
