// One block column of the factorisation: see cholesky_factor.wgsl.

struct Params {
  // The block's first row in the matrix and its extent; rows of the panel in this dispatch.
  block: u32, size: u32, rows: u32,
  y: u32, ldy: u32,
  // First row of this dispatch in `panel`.
  panel_row: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read_write> y: array<f32>;
// The factored block, BLOCK elements a row, and the panel below it, as operands of what follows.
@group(1) @binding(1) var<storage, read_write> diagonal: array<f32>;
@group(1) @binding(2) var<storage, read_write> panel: array<f32>;

const BLOCK = 32u;
const NOT_POSITIVE = 1u;

var<workgroup> tile: array<f32, BLOCK * BLOCK>;

/// Column by column; each invocation owns a row and computes the pivot for itself: one barrier a column.
@compute @workgroup_size(BLOCK)
fn factor(@builtin(local_invocation_index) row: u32) {
  if (row < p.size) {
    for (var col = 0u; col <= row; col++) { tile[row * BLOCK + col] = y[p.y + row * p.ldy + col]; }
  }
  workgroupBarrier();
  for (var col = 0u; col < p.size; col++) {
    var pivot = tile[col * BLOCK + col];
    var value = tile[row * BLOCK + col];
    for (var k = 0u; k < col; k++) {
      let l = tile[col * BLOCK + k];
      pivot -= l * l;
      value -= tile[row * BLOCK + k] * l;
    }
    // Everyone has read the pivot's old value before its row overwrites it.
    workgroupBarrier();
    // By its bits: NaN and what is not positive fail.
    let bits = bitcast<u32>(pivot);
    if (bits == 0u || bits >= INFINITY) {
      if (row == 0u) { report(NOT_POSITIVE, p.block + col, bits); }
      pivot = 1.0;
    }
    let root = sqrt(pivot);
    if (row == col) { tile[row * BLOCK + col] = root; }
    if (row > col && row < p.size) { tile[row * BLOCK + col] = value / root; }
    workgroupBarrier();
  }
  if (row < p.size) {
    for (var col = 0u; col <= row; col++) {
      y[p.y + row * p.ldy + col] = tile[row * BLOCK + col];
      diagonal[row * BLOCK + col] = tile[row * BLOCK + col];
    }
  }
}

/// x l^T = y for the rows below the block, l being the factored block; x replaces y.
@compute @workgroup_size(64)
fn solve_panel(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= p.rows) { return; }
  var x: array<f32, BLOCK>;
  for (var col = 0u; col < p.size; col++) {
    var value = y[p.y + row * p.ldy + col];
    for (var k = 0u; k < col; k++) { value -= x[k] * diagonal[col * BLOCK + k]; }
    x[col] = value / diagonal[col * BLOCK + col];
  }
  for (var col = 0u; col < p.size; col++) {
    y[p.y + row * p.ldy + col] = x[col];
    panel[(p.panel_row + row) * BLOCK + col] = x[col];
  }
}
