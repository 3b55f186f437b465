// Matrix product without workgroup memory, for devices in software, where a barrier costs more than a cached load:
// a workgroup of 8 x 8 computes 32 x 32 entries, an invocation 4 x 4, four steps of k at a time.

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {
  let row = group.y * 32u + id.y * 4u;
  let col = group.x * 32u + id.x * 4u;
  if (row >= p.m || col >= p.n || is_skipped(row, col, 4u)) { return; }
  choose_plane(group.z);
  var total: array<vec4f, 4>;
  var k = 0u;
  while (k < p.k) {
    let end = min(p.k, k + FOLD);
    var sums = array<vec4f, 4>();
    if (row + 4u <= p.m && col + 4u <= p.n) {
      for (; k + 4u <= end; k += 4u) {
        let w = b_block(k, col);
        for (var i = 0u; i < 4u; i++) {
          // One step of k after the other, as below: mirrored entries come out equal.
          let x = a_quad(row + i, k);
          sums[i] += x.x * w[0];
          sums[i] += x.y * w[1];
          sums[i] += x.z * w[2];
          sums[i] += x.w * w[3];
        }
      }
    }
    for (; k < end; k++) {
      let x = a_rows(row, k);
      let w = b_cols(k, col);
      sums[0] += x.x * w;
      sums[1] += x.y * w;
      sums[2] += x.z * w;
      sums[3] += x.w * w;
    }
    for (var i = 0u; i < 4u; i++) { total[i] += sums[i]; }
  }
  for (var i = 0u; i < 4u; i++) { store_row(row + i, col, total[i]); }
}

/// Row `row` of op(a) at k .. k + 3, all of which exist.
fn a_quad(row: u32, k: u32) -> vec4f {
  let step = select(1u, p.lda, TRANS_A);
  let first = first_a + select(row * p.lda + k, k * p.lda + row, TRANS_A);
  return vec4f(a[first], a[first + step], a[first + 2u * step], a[first + 3u * step]);
}

/// op(b) at k .. k + 3 (columns of the matrix) and col .. col + 3 (its rows), all of which exist.
fn b_block(k: u32, col: u32) -> mat4x4f {
  let down = select(p.ldb, 1u, TRANS_B);
  let right = select(1u, p.ldb, TRANS_B);
  let i = first_b + k * down + col * right;
  let j = i + down;
  let l = j + down;
  let m = l + down;
  return mat4x4f(
    b[i], b[i + right], b[i + 2u * right], b[i + 3u * right],
    b[j], b[j + right], b[j + 2u * right], b[j + 3u * right],
    b[l], b[l + right], b[l + 2u * right], b[l + 3u * right],
    b[m], b[m + right], b[m + 2u * right], b[m + 3u * right],
  );
}
