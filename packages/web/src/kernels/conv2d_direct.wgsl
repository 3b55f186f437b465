// Without workgroup memory: for devices in software, where a barrier costs more than a cached load, and for groups of
// few outputs, which leave little to share. An invocation computes OUTPUTS x 4 pixels.

override WIDTH: u32;
override HEIGHT: u32;
/// 1 to 4.
override OUTPUTS: u32;

@compute @workgroup_size(WIDTH, HEIGHT)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) id: vec3u) {
  let group = p.group0 + id.z;
  let output = p.output0 + (id.y * HEIGHT + local.y) * OUTPUTS;
  let pixel = p.pixel0 + (id.x * WIDTH + local.x) * 4u;
  if (output >= p.outputs || pixel >= p.pixels) { return; }
  var kernels = kernels_of(output, group);
  let corners = corners_of(pixel, group);

  var total: array<vec4f, 4>;
  var sums: array<vec4f, 4>;
  var terms = 0u;
  for (var channel = 0u; channel < p.channels; channel++) {
    for (var row = 0u; row < p.kernel_rows; row++) {
      for (var col = 0u; col < p.kernel_cols; col++) {
        let values = under(corners, channel, row, col);
        for (var i = 0u; i < OUTPUTS; i++) { sums[i] += w_at(kernels[i]) * values; }
        kernels += 1u;
      }
      terms += p.kernel_cols;
      if (terms >= FOLD) {
        for (var i = 0u; i < OUTPUTS; i++) {
          total[i] += sums[i];
          sums[i] = vec4f();
        }
        terms = 0u;
      }
    }
  }
  for (var i = 0u; i < OUTPUTS; i++) { store(group, output + i, pixel, total[i] + sums[i]); }
}
