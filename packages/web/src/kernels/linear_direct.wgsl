// Without workgroup memory, for devices in software, where a barrier costs more than a cached load: a workgroup of
// 8 x 8 computes 32 x 32 entries, an invocation 4 x 4.

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {
  let row = group.y * 32u + id.y * 4u;
  let col = group.x * 32u + id.x * 4u;
  if (row >= p.m || col >= p.n) { return; }
  let from_x = x_rows(row);
  let from_w = w_rows(col);
  var total: array<vec4f, 4>;
  for (var k = 0u; k < p.k;) {
    let end = min(p.k, k + FOLD);
    var sums = array<vec4f, 4>();
    for (; k < end; k++) {
      let rows = x_quad(from_x + k);
      let cols = w_quad(from_w + k);
      sums[0] += rows.x * cols;
      sums[1] += rows.y * cols;
      sums[2] += rows.z * cols;
      sums[3] += rows.w * cols;
    }
    for (var i = 0u; i < 4u; i++) { total[i] += sums[i]; }
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) { store(row + i, col + j, total[i][j]); }
  }
}
