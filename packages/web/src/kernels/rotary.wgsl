// Pairs of neighbouring values turned by the angle of their row's position; all others keep every bit. An invocation
// writes one value.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32, x: u32, y: u32, cosine: u32, sine: u32,
  // The first row here, rows of one position, positions, turned pairs of a row.
  row: u32, inner: u32, positions: u32, pairs: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read> cosines: array<f32>;
@group(1) @binding(2) var<storage, read> sines: array<f32>;
@group(1) @binding(3) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let pair = (item % p.cols) / 2u;
  let own = x[p.x + item];
  if (pair >= p.pairs) {
    y[p.y + item] = own;
    return;
  }
  let position = ((p.row + item / p.cols) / p.inner) % p.positions;
  let entry = position * p.pairs + pair;
  let is_second = (item % p.cols) % 2u == 1u;
  let partner = bitcast<f32>(x[select(p.x + item + 1u, p.x + item - 1u, is_second)]);
  let turned = bitcast<f32>(own) * cosines[p.cosine + entry];
  let added = partner * sines[p.sine + entry];
  y[p.y + item] = bitcast<u32>(select(turned - added, turned + added, is_second));
}
