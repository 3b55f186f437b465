// Copies x[rows, cols], whatever the elements are. An invocation writes one word; elements of a word that lie
// outside this piece of the result stay as they are.

struct Params {
  first: u32, count: u32, stride: u32,
  // The piece of the result: first element in its window, extents.
  y: u32, rows: u32, cols: u32,
  // First element of x in its window, elements between two rows, and the row it is in.
  x: u32, ld: u32, x_row: u32,
  // Lists of indices, where given; else the row of x that the first row of the piece comes from.
  row_list: u32, has_rows: u32, col_list: u32, has_cols: u32, from_row: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read> row_list: array<u32>;
@group(1) @binding(2) var<storage, read> col_list: array<u32>;
@group(1) @binding(3) var<storage, read_write> y: array<u32>;

/// Elements in a word: 1, 2 or 4.
override PER_WORD: u32;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let width = 32u / PER_WORD;
  let word_index = p.y / PER_WORD + item;
  var word = 0u;
  if (PER_WORD > 1u) { word = y[word_index]; }
  for (var i = 0u; i < PER_WORD; i++) {
    let element = word_index * PER_WORD + i;
    if (element < p.y || element - p.y >= p.rows * p.cols) { continue; }
    let row = (element - p.y) / p.cols;
    let col = (element - p.y) % p.cols;
    var from_row = p.from_row + row;
    var from_col = col;
    if (p.has_rows != 0u) { from_row = row_list[p.row_list + row]; }
    if (p.has_cols != 0u) { from_col = col_list[p.col_list + col]; }
    let source = p.x + (from_row - p.x_row) * p.ld + from_col;
    let bits = extractBits(x[source / PER_WORD], (source % PER_WORD) * width, width);
    word = insertBits(word, bits, i * width, width);
  }
  y[word_index] = word;
}
