// What all forms of a convolution share: the product of the kernels [outputs, taps] and the values under them
// [taps, pixels], which are gathered from the pictures as they are needed. Pixels are those of all pictures of a piece,
// one after the other. Needs activate.wgsl and half.wgsl.

struct Params {
  // Extents of the piece: pixels of its pictures, outputs and channels of a group.
  pixels: u32, outputs: u32, channels: u32,
  // Where this dispatch begins in it.
  pixel0: u32, output0: u32, group0: u32,
  // Of one picture of the result, in this piece.
  rows: u32, cols: u32,
  kernel_rows: u32, kernel_cols: u32, stride: u32,
  // Padding before the rows that are bound (it may be negative), and before the columns.
  top: u32, left: u32,
  // Rows of a picture that are bound, and their length.
  height: u32, width: u32,
  // First element in its window; elements between pictures, groups and channels.
  x: u32, x_picture: u32, x_group: u32, x_channel: u32,
  w: u32, w_group: u32, w_output: u32,
  bias: u32, bias_group: u32,
  residual: u32,
  y: u32, y_picture: u32, y_group: u32, y_output: u32,
  activation: u32,
  has_bias: u32, has_residual: u32,
  // A piece of the sum: it adds to y; the last one is followed by all that follows the sum.
  accumulate: u32, finish: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read> w: array<u32>;
@group(1) @binding(2) var<storage, read> bias: array<f32>;
@group(1) @binding(3) var<storage, read> residual: array<f32>;
@group(1) @binding(4) var<storage, read_write> y: array<f32>;

/// Partial sums over about this many taps are added up first: the rounding error grows with their length, not the sum's.
const FOLD = 128u;

/// Where the kernel's first tap lies for each of four pixels; those beyond the last are read as the last one, and never
/// stored. Rows and columns before the picture wrap around, and so are beyond its end as well.
struct Corners { row: vec4u, col: vec4u, at: vec4u }

fn corners_of(pixel: u32, group: u32) -> Corners {
  var corners: Corners;
  for (var i = 0u; i < 4u; i++) {
    let each = min(pixel + i, p.pixels - 1u);
    let picture = each / (p.rows * p.cols);
    let place = each % (p.rows * p.cols);
    let row = place / p.cols * p.stride - p.top;
    let col = place % p.cols * p.stride - p.left;
    corners.row[i] = row;
    corners.col[i] = col;
    corners.at[i] = p.x + picture * p.x_picture + group * p.x_group + row * p.width + col;
  }
  return corners;
}

/// The values under one tap, 0 outside of the picture.
fn under(corners: Corners, channel: u32, row: u32, col: u32) -> vec4f {
  let at = corners.at + (channel * p.x_channel + row * p.width + col);
  let inside = (corners.row + row < vec4u(p.height)) & (corners.col + col < vec4u(p.width));
  return select(vec4f(), vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), inside);
}

/// First elements of the kernels of four outputs, those beyond the last as above.
fn kernels_of(output: u32, group: u32) -> vec4u {
  let outputs = min(vec4u(output, output + 1u, output + 2u, output + 3u), vec4u(p.outputs - 1u));
  return p.w + group * p.w_group + outputs * p.w_output;
}

fn w_at(element: u32) -> f32 {
  return element_in(w[word_of(element)], element);
}

/// Four pixels of one output.
fn store(group: u32, output: u32, pixel: u32, sums: vec4f) {
  if (output >= p.outputs) { return; }
  for (var i = 0u; i < 4u; i++) {
    if (pixel + i >= p.pixels) { return; }
    let picture = (pixel + i) / (p.rows * p.cols);
    let place = (pixel + i) % (p.rows * p.cols);
    let at = picture * p.y_picture + group * p.y_group + output * p.y_output + place;
    var value = sums[i];
    if (p.accumulate != 0u) { value += y[p.y + at]; }
    if (p.finish != 0u) {
      if (p.has_bias != 0u) { value += bias[p.bias + group * p.bias_group + output]; }
      value = activate(p.activation, value);
      if (p.has_residual != 0u) { value += residual[p.residual + at]; }
    }
    y[p.y + at] = value;
  }
}
