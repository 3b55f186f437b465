// Standard normals from counters: Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405), then Box and
// Muller. All in integers, as fixed point: what a driver may do to floats (approximate logarithms and sines, fuse,
// reassociate) cannot happen to these, so that every device makes the same normals, within 4e-7 of the exact ones.
// An invocation makes one block of four.

struct Params {
  first: u32, count: u32, stride: u32,
  // Counter of the first block, and where in it the first element of this piece is.
  block_low: u32, block_high: u32, lane: u32,
  seed_low: u32, seed_high: u32,
  elements: u32, y: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read_write> y: array<u32>;

/// The random words themselves are asked for.
override WORDS: bool;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let low = p.block_low + item;
  let high = p.block_high + u32(low < item);
  let words = philox(vec4u(low, high, 0u, 0u), vec2u(p.seed_low, p.seed_high));
  var values = words;
  if (!WORDS) { values = vec4u(normals(words.x, words.y), normals(words.z, words.w)); }
  for (var i = 0u; i < 4u; i++) {
    let element = item * 4u + i - p.lane; // before the piece: wraps around
    if (element < p.elements) { y[p.y + element] = values[i]; }
  }
}

fn philox(counter: vec4u, seed: vec2u) -> vec4u {
  var c = counter;
  var key = seed;
  for (var round = 0u; round < 10u; round++) {
    let x = high_product(0xd2511f53u, c.x);
    let z = high_product(0xcd9e8d57u, c.z);
    c = vec4u(z ^ c.y ^ key.x, 0xcd9e8d57u * c.z, x ^ c.w ^ key.y, 0xd2511f53u * c.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

/// The higher word of a product, from the products of halves.
fn high_product(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

/// a b / 2^32 for an a of either sign, rounded down: steps of polynomials.
fn scaled(a: i32, b: u32) -> i32 {
  return bitcast<i32>(high_product(bitcast<u32>(a), b) - select(0u, b, a < 0));
}

/// Bits of two normals from a pair of words: radius times cosine, and times sine.
fn normals(word_u: u32, word_v: u32) -> vec2u {
  let r = radius((word_u >> 9u) * 2u + 1u);
  // The angle in units of 2^-24 turns: a quadrant, and what lies beyond it as a share of a quadrant.
  let turn = (word_v >> 9u) * 2u + 1u;
  let quadrant = turn >> 22u;
  let share = turn << 10u; // never 0, so that its complement fits a word
  let rising = high_product(r, sine(share));
  let falling = high_product(r, sine(0u - share));
  let swapped = (quadrant & 1u) == 1u;
  return vec2u(
    float_of(select(falling, rising, swapped), quadrant == 1u || quadrant == 2u),
    float_of(select(rising, falling, swapped), quadrant >= 2u),
  );
}

/// sqrt(-2 log(n / 2^24)) for an odd n below 2^24, in units of 2^-29.
fn radius(n: u32) -> u32 {
  // n / 2^24 = 2^-halvings (1 - g / 2^32) with g at most half of 2^32: exact, also near 1.
  let zeros = countLeadingZeros(n);
  let halvings = zeros - 8u;
  let g = 0u - (n << zeros);
  // -log(1 - g) = g times a polynomial, fitted to 2.3e-8; as a product of full words, to keep it when g is small.
  let shift = countLeadingZeros(g);
  let product = high_product(g << shift, minus_log_over(g)); // units of 2^-30
  // -2 log in units of 2^(exponent - 32)
  var value = product;
  var exponent = 3 - i32(shift);
  if (halvings > 0u) {
    value = halvings * 93032640u + (product >> (3u + shift)); // log(4) in units of 2^-26
    exponent = 6;
  }
  // value / 2^32 in [1/4, 1), and an even exponent
  let spare = countLeadingZeros(value);
  value <<= spare;
  exponent -= i32(spare);
  let odd = exponent & 1;
  value >>= u32(odd);
  let half = (exponent + odd) / 2;
  let root = square_root(value);
  return select(root >> u32(1 - min(half, 1)), root << u32(max(half, 1) - 1), half > 1);
}

/// -log(1 - g) / g for g up to a half of 2^32, in units of 2^-30.
fn minus_log_over(g: u32) -> u32 {
  var q = 1547378136; // 1.441
  q = scaled(q, g) - 1820864586; // 1.696
  q = scaled(q, g) + 1350412715; // 1.258
  q = scaled(q, g) - 218548202; // 0.2035
  q = scaled(q, g) + 289494439; // 0.2696
  q = scaled(q, g) + 260709980; // 0.2428
  q = scaled(q, g) + 358308305; // 0.3337
  q = scaled(q, g) + 536863238; // 0.5000
  q = scaled(q, g) + 1073741848; // 1.0000
  return u32(q);
}

/// The square root of a / 2^32 from 1/4 to 1, in units of 2^-30: a / sqrt(a), by Newton's steps for 1 / (2 sqrt(a)).
fn square_root(a: u32) -> u32 {
  // To 2.4 %, in units of 2^-31; three steps leave 2e-12.
  var y = u32(scaled(scaled(879700006, a) - 1763813575, a) + 1433894322) << 1u;
  for (var i = 0u; i < 3u; i++) {
    let correction = 0xc0000000u - (high_product(a, high_product(y, y)) << 2u); // 3/2 - 2 a y^2
    y = high_product(y, correction) << 1u;
  }
  return high_product(a, y);
}

/// sin(pi / 2 x / 2^32) in units of 2^-30: x times a polynomial in its square, fitted to 5.3e-9.
fn sine(x: u32) -> u32 {
  let z = high_product(x, x);
  var q = 162656; // 0.0001515
  q = scaled(q, z) - 5018419; // 0.004674
  q = scaled(q, z) + 85566141; // 0.07969
  q = scaled(q, z) - 693598253; // 0.6460
  q = scaled(q, z) + 1686629704; // 1.571
  return high_product(x, u32(q));
}

/// The float nearest to a number in units of 2^-27, whatever the device rounds to: 24 bits are exact.
fn float_of(magnitude: u32, negative: bool) -> u32 {
  let excess = 8u - min(8u, countLeadingZeros(magnitude));
  let rounded = ((magnitude + ((1u << excess) >> 1u)) >> excess) << excess;
  return bitcast<u32>(f32(rounded) * 0x1p-27f) | (u32(negative) << 31u);
}
