// One block of a blocked triangular solve: l x = y (or l^T x = y) for the rows of the block, an invocation a column.
// x replaces y and is kept apart as the operand of the update of the remaining rows.

struct Params {
  first: u32, count: u32, stride: u32,
  size: u32,
  l: u32, ldl: u32, y: u32, ldy: u32, x: u32, ldx: u32,
  transpose: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> l: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(2) var<storage, read_write> x: array<f32>;

const BLOCK = 32u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let col = item_of(id);
  if (is_outside(col)) { return; }
  var solved: array<f32, BLOCK>;
  for (var step = 0u; step < p.size; step++) {
    let row = select(step, p.size - 1u - step, p.transpose != 0u);
    var value = y[p.y + row * p.ldy + col];
    for (var before = 0u; before < step; before++) {
      let k = select(before, p.size - 1u - before, p.transpose != 0u);
      // Below the diagonal either way: the upper part of l is never read.
      let at = select(row * p.ldl + k, k * p.ldl + row, p.transpose != 0u);
      value -= l[p.l + at] * solved[k];
    }
    solved[row] = value / l[p.l + row * p.ldl + row];
  }
  for (var row = 0u; row < p.size; row++) {
    y[p.y + row * p.ldy + col] = solved[row];
    x[p.x + row * p.ldx + col] = solved[row];
  }
}
