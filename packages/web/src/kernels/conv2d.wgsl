// By tiles in workgroup memory, as gemm.wgsl: a workgroup of 16 x 16 computes 64 outputs x 64 pixels, an invocation
// 4 x 4. The matrix of values under the taps exists only there.

const QUADS = 16u;
const DEPTH = 16u;
var<workgroup> tile_w: array<vec4f, DEPTH * QUADS>;
var<workgroup> tile_x: array<vec4f, DEPTH * QUADS>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let group = p.group0 + id.z;
  let output0 = p.output0 + id.y * 64u;
  let pixel0 = p.pixel0 + id.x * 64u;
  let fast = t % 16u;
  let slow = t / 16u;
  // Neighbouring invocations read along a kernel, and along a row of a picture.
  let kernels = kernels_of(output0 + slow * 4u, group) + fast;
  let corners = corners_of(pixel0 + fast * 4u, group);
  let area = p.kernel_rows * p.kernel_cols;
  let taps = p.channels * area;

  var total: array<vec4f, 4>;
  var sums: array<vec4f, 4>;
  for (var k = 0u; k < taps; k += DEPTH) {
    let at = kernels + k;
    let weights = vec4f(w_at(at.x), w_at(at.y), w_at(at.z), w_at(at.w));
    tile_w[fast * QUADS + slow] = select(vec4f(), weights, k + fast < taps);
    let tap = k + slow;
    let values = under(corners, tap / area, tap % area / p.kernel_cols, tap % p.kernel_cols);
    tile_x[slow * QUADS + fast] = select(vec4f(), values, tap < taps);
    workgroupBarrier();
    for (var step = 0u; step < DEPTH; step++) {
      let kernel = tile_w[step * QUADS + slow];
      let pixels = tile_x[step * QUADS + fast];
      sums[0] += kernel.x * pixels;
      sums[1] += kernel.y * pixels;
      sums[2] += kernel.z * pixels;
      sums[3] += kernel.w * pixels;
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
    store(group, output0 + slow * 4u + i, pixel0 + fast * 4u, total[i] + sums[i]);
  }
}
