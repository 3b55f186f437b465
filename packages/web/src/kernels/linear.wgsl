// Many rows: the product by tiles in workgroup memory, as gemm.wgsl has it. A workgroup of 16 x 16 computes 64 x 64
// entries, an invocation 4 x 4; weights become f32 on their way into the tile.

const QUADS = 16u;
const DEPTH = 16u;
var<workgroup> tile_x: array<vec4f, DEPTH * QUADS>;
var<workgroup> tile_w: array<vec4f, DEPTH * QUADS>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let row0 = group.y * 64u;
  let col0 = group.x * 64u;
  // Neighbouring invocations read along k.
  let step_k = t % DEPTH;
  let quad = t / DEPTH;
  let from_x = x_rows(row0 + quad * 4u) + step_k;
  let from_w = w_rows(col0 + quad * 4u) + step_k;
  let across = t % QUADS;
  let down = t / QUADS;

  var total: array<vec4f, 4>;
  var sums: array<vec4f, 4>;
  for (var k = 0u; k < p.k; k += DEPTH) {
    let inside = k + step_k < p.k;
    tile_x[step_k * QUADS + quad] = select(vec4f(), x_quad(from_x + k), inside);
    tile_w[step_k * QUADS + quad] = select(vec4f(), w_quad(from_w + k), inside);
    workgroupBarrier();
    for (var step = 0u; step < DEPTH; step++) {
      let rows = tile_x[step * QUADS + down];
      let cols = tile_w[step * QUADS + across];
      sums[0] += rows.x * cols;
      sums[1] += rows.y * cols;
      sums[2] += rows.z * cols;
      sums[3] += rows.w * cols;
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
    for (var j = 0u; j < 4u; j++) {
      store(row0 + down * 4u + i, col0 + across * 4u + j, total[i][j] + sums[i][j]);
    }
  }
}
