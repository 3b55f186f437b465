// A box of five axes copied from one place to another, whatever the elements are: those of both lie side by side
// along the last axis of the result. An invocation writes one word; what of it lies outside the box stays as it is.

struct Params {
  first: u32, count: u32, stride: u32,
  // Elements of a row of the box, and words that such a row may touch in the result.
  cols: u32, words: u32,
  // First elements in their windows; elements between two columns of x.
  x: u32, y: u32, x_col: u32,
  // The other axes: extents, elements between neighbours of x and of y. Rows of y ascend and do not overlap.
  extents: vec4u, x_steps: vec4u, y_steps: vec4u,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read_write> y: array<u32>;

/// Elements in a word: 1, 2 or 4.
override PER_WORD: u32;

/// The place of a row on the four axes before the last.
fn place_of(row: u32) -> vec4u {
  let third = row / p.extents.w;
  let second = third / p.extents.z;
  return vec4u(second / p.extents.y, second % p.extents.y, third % p.extents.z, row % p.extents.w);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let row = item / p.words;
  let col = item % p.words;
  let place = place_of(row);
  if (PER_WORD == 1u) {
    y[p.y + dot(place, p.y_steps) + col] = x[p.x + dot(place, p.x_steps) + col * p.x_col];
  } else {
    write_word(row, col, place);
  }
}

/// Writes the given word of those that a row touches, if no earlier row touches it: then that one's first word does
/// it, with the elements of all rows.
fn write_word(first_row: u32, index: u32, place: vec4u) {
  var start = p.y + dot(place, p.y_steps);
  let word_index = start / PER_WORD + index;
  if (index == 0u && first_row > 0u) {
    let before = p.y + dot(place_of(first_row - 1u), p.y_steps) + p.cols - 1u;
    if (before / PER_WORD == word_index) { return; }
  }
  var element = max(start, word_index * PER_WORD);
  if (element >= start + p.cols) { return; }
  let rows = p.extents.x * p.extents.y * p.extents.z * p.extents.w;
  let width = 32u / PER_WORD;
  let end = (word_index + 1u) * PER_WORD;
  var row = first_row;
  var from_ = p.x + dot(place, p.x_steps);
  var word = y[word_index];
  while (element < end) {
    let source = from_ + (element - start) * p.x_col;
    let bits = extractBits(x[source / PER_WORD], (source % PER_WORD) * width, width);
    word = insertBits(word, bits, (element % PER_WORD) * width, width);
    element++;
    if (element < start + p.cols) { continue; }
    row++;
    if (row >= rows) { break; }
    let next = place_of(row);
    start = p.y + dot(next, p.y_steps);
    from_ = p.x + dot(next, p.x_steps);
    element = start;
  }
  y[word_index] = word;
}
