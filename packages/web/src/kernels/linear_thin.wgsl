// Few rows: every weight is read once, by neighbouring invocations along its row. A workgroup computes 32 columns of
// all rows: 16 lanes share a column, and each lane serves the column 16 further on as well.

/// Rows in quads: 4 QUADS of them at most.
override QUADS: u32;

const LANES = 16u;
const COLS = 32u;
const DEPTH = 64u;
/// Quads of rows of x, step by step of k.
var<workgroup> tile: array<vec4f, DEPTH * 4u>;
var<workgroup> partials: array<vec4f, LANES * 16u>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let lane = t % LANES;
  let slot = t / LANES;
  let col = group.x * COLS + slot;
  let from_w = w_rows(col).x + lane;
  let from_w2 = w_rows(col + LANES).x + lane;

  var sums: array<vec4f, 4>;
  var sums2: array<vec4f, 4>;
  for (var k = 0u; k < p.k; k += DEPTH) {
    for (var i = t; i < DEPTH * QUADS; i += 256u) {
      let at = k + i % DEPTH;
      let quad = i / DEPTH;
      tile[quad * DEPTH + i % DEPTH] = select(vec4f(), x_quad(x_rows(quad * 4u) + at), at < p.k);
    }
    workgroupBarrier();
    for (var step = 0u; step < DEPTH; step += LANES) {
      let inside = k + step + lane < p.k;
      let weight = select(0.0, w_at(from_w + k + step), inside);
      let weight2 = select(0.0, w_at(from_w2 + k + step), inside);
      for (var quad = 0u; quad < QUADS; quad++) {
        let rows = tile[quad * DEPTH + step + lane];
        sums[quad] += weight * rows;
        sums2[quad] += weight2 * rows;
      }
    }
    workgroupBarrier();
  }
  for (var quad = 0u; quad < QUADS; quad++) {
    finish_column(t, quad * 4u, col, sums[quad]);
    finish_column(t, quad * 4u, col + LANES, sums2[quad]);
  }
}

/// Adds up the lanes of a column and stores four rows of it.
fn finish_column(t: u32, row: u32, col: u32, sum: vec4f) {
  partials[t] = sum;
  workgroupBarrier();
  if (t % LANES == 0u) {
    var all = sum;
    for (var lane = 1u; lane < LANES; lane++) { all += partials[t + lane]; }
    for (var i = 0u; i < 4u; i++) { store(row + i, col, all[i]); }
  }
  workgroupBarrier();
}
