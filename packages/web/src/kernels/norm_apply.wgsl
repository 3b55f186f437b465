// y = activation((x - mean) / sqrt(variance + eps) gain + bias).

struct Params {
  first: u32, count: u32, stride: u32,
  // Values of a row here, and in all.
  cols: u32, all_cols: u32,
  x: u32, y: u32,
  // Number of the first row here among those with moments, and chunks of a row.
  row: u32, chunks: u32,
  eps: f32, stable: u32, kind: u32,
  // Where the factors of channels are given: those from `channel` on.
  gain: u32, has_gain: u32, bias: u32, has_bias: u32, channel: u32,
  // Values of a channel in a row, channels of a row, rows that divide the channels among themselves; which of them
  // is the first here, and the number of its first value.
  pixels: u32, channels: u32, groups: u32, group: u32, col: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read> moments: array<f32>;
@group(1) @binding(2) var<storage, read> gain: array<f32>;
@group(1) @binding(3) var<storage, read> bias: array<f32>;
@group(1) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let row = item / p.cols;
  let col = p.col + item % p.cols;
  let channel = ((p.group + row) % p.groups) * p.channels + col / p.pixels - p.channel;
  let at = 3u * p.chunks * (p.row + row);
  var value = x[p.x + item];
  if (p.stable != 0u) { value /= moments[at + 2u]; }
  value = (value - moments[at]) * inverseSqrt(moments[at + 1u] / f32(p.all_cols) + p.eps);
  if (p.has_gain != 0u) { value *= gain[p.gain + channel]; }
  if (p.has_bias != 0u) { value += bias[p.bias + channel]; }
  y[p.y + item] = activate(p.kind, value);
}
