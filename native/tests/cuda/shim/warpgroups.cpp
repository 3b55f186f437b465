// Products of warpgroups, by the definition of their operands and fragments (PTX ISA, "Asynchronous Warpgroup Level Matrix
// Instructions": "Register Fragments", "Canonical Layouts", "Matrix Descriptor Format"). Each warp has the 16 rows of its
// own; that the four have the same products is seen when their block ends.
#include <algorithm>
#include <array>

#include "machine.hpp"

namespace shim {
namespace {

constexpr int warp_rows = 16, term_bytes = 32; // of a product
constexpr uint32_t under_way = 0xffffffffu;    // NaN, in the registers of sums

int terms_of(Number number) { return number == Number::tf32 ? 8 : 16; }

/// Of all f16 by their bits.
const std::vector<float> &f16_values() {
  static const std::vector<float> values = [] {
    std::vector<float> all(1 << 16);
    for (uint32_t bits = 0; bits < all.size(); ++bits) {
      const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
      const float size = exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                         : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                         : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
      all[bits] = bits >> 15 != 0 ? -size : size;
    }
    return all;
  }();
  return values;
}

float number_at(const unsigned char *at, Number number) {
  if (number == Number::tf32) {
    uint32_t bits;
    std::memcpy(&bits, at, 4);
    return __uint_as_float(bits & ~0x1fffu); // the lower bits are not read
  }
  uint16_t bits;
  std::memcpy(&bits, at, 2);
  return number == Number::bf16 ? __uint_as_float(static_cast<uint32_t>(bits) << 16) : f16_values()[bits];
}

/// A matrix in shared memory as its descriptor says.
class Matrix {
public:
  Matrix(Machine &m, uint64_t descriptor, Number number, bool across, const Site &site)
      : number_(number), across_(across), start_(field(descriptor, 0)), leading_(field(descriptor, 16)),
        stride_(field(descriptor, 32)), size_(number == Number::tf32 ? 4 : 2) {
    static constexpr int chunks_of_mode[4] = {1, 8, 4, 2}; // none, 128, 64 and 32 bytes
    chunks_ = static_cast<uint32_t>(chunks_of_mode[descriptor >> 62]);
    constexpr uint64_t used = uint64_t{3} << 62 | uint64_t{0x3fff} << 32 | uint64_t{0x3fff} << 16 | 0x3fff;
    if ((descriptor & ~used) != 0) m.fail("a matrix descriptor with a base offset, or bits that mean nothing", site);
    // Rows of the pattern are counted by the address: it must begin in the first, since the base offset is 0.
    if (chunks_ > 1 && (start_ >> 7 & (chunks_ - 1)) != 0) {
      m.fail("a matrix that does not begin with the pattern of its swizzle", site);
    }
    if (across && number == Number::tf32) m.fail("a product of TF32 whose rows are terms", site);
  }

  /// Where entry (row or column of the product, term) is. T: as many as 16 bytes hold.
  uint32_t at(uint32_t i, uint32_t p) const {
    uint32_t offset;
    if (!across_) { // ((8, m), (T, 2)) : ((pattern, stride), (1, T)); without a swizzle (1, leading)
      const uint32_t byte = p * size_;
      offset = i % 8 * chunks_ * 16 + i / 8 * stride_ + byte % 16 + byte / 16 * (chunks_ == 1 ? leading_ : 16);
    } else { // ((T, chunks, m), (8, k)) : ((1, T, leading), (pattern, stride)); without a swizzle (1, stride), (T, leading)
      const uint32_t chunk = i / 8;
      offset = i % 8 * size_ + p % 8 * chunks_ * 16;
      if (chunks_ == 1) offset += chunk * stride_ + p / 8 * leading_;
      else offset += chunk % chunks_ * 16 + chunk / chunks_ * leading_ + p / 8 * stride_;
    }
    const uint32_t address = start_ + offset;
    return address ^ (address >> 7 & (chunks_ - 1)) << 4;
  }
  uint32_t size() const { return size_; }
  Number number() const { return number_; }

private:
  static uint32_t field(uint64_t descriptor, int at) { return static_cast<uint32_t>(descriptor >> at & 0x3fff) << 4; }

  Number number_;
  bool across_;
  uint32_t start_, leading_, stride_, size_, chunks_ = 1;
};

void read_operands(Machine &m, int warp, Operation &op, const Site &site) {
  if (op.has_read) return;
  op.has_read = true;
  const Number number = op.what.number;
  const auto terms = static_cast<uint32_t>(terms_of(number)), columns = static_cast<uint32_t>(op.what.columns);
  const auto entry = [&](const Matrix &matrix, uint32_t i, uint32_t p) {
    return number_at(m.at(m.block(), matrix.at(i, p), matrix.size(), site), number);
  };
  if (!op.what.a_in_registers) {
    const Matrix a(m, op.a, number, op.what.a_across, site);
    op.of_a.resize(warp_rows * terms);
    for (uint32_t i = 0; i < warp_rows; ++i) {
      for (uint32_t p = 0; p < terms; ++p) op.of_a[i * terms + p] = entry(a, static_cast<uint32_t>(warp % 4) * warp_rows + i, p);
    }
  }
  const Matrix b(m, op.b, number, op.what.b_across, site);
  op.of_b.resize(terms * columns);
  for (uint32_t j = 0; j < columns; ++j) {
    for (uint32_t p = 0; p < terms; ++p) op.of_b[p * columns + j] = entry(b, j, p);
  }
}

/// row += a of a few terms times b, in sums that are cut off. The products of numbers of at most 11 bits are exact.
__attribute__((always_inline)) inline void add_row(float *row, const float *a, const float *b, int terms, int columns, int count) {
  double sums[256];
  for (int j = 0; j < count; ++j) sums[j] = static_cast<double>(row[j]);
  for (int p = 0; p < terms; ++p) {
    const double x = static_cast<double>(a[p]);
    for (int j = 0; j < count; ++j) sums[j] += x * static_cast<double>(b[p * columns + j]);
  }
  for (int j = 0; j < count; ++j) { // tensor cores cut sums off where the processor would round them
    const float rounded = static_cast<float>(sums[j]);
    uint32_t bits;
    std::memcpy(&bits, &rounded, 4);
    bits -= std::abs(static_cast<double>(rounded)) > std::abs(sums[j]) ? 1 : 0;
    std::memcpy(row + j, &bits, 4);
  }
}
void add_row_plain(float *row, const float *a, const float *b, int terms, int columns, int count) {
  add_row(row, a, b, terms, columns, count);
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) void add_row_avx2(float *row, const float *a, const float *b, int terms, int columns, int count) {
  add_row(row, a, b, terms, columns, count);
}
const auto add_row_here = __builtin_cpu_supports("avx2") ? add_row_avx2 : add_row_plain;
#else
const auto add_row_here = add_row_plain;
#endif

void execute(Machine &m, int warp, Operation &op, const Site &site) {
  read_operands(m, warp, op, site);
  const int terms = terms_of(op.what.number), columns = op.what.columns;
  std::vector<float> &sums = op.into->sums;
  if (!op.add) std::fill(sums.begin(), sums.end(), 0.0f);
  // Beyond the edge of a matrix there are zeros, which add nothing to numbers.
  const auto is_finite = [](float x) { return x - x == 0; };
  const bool finite_a = std::all_of(op.of_a.begin(), op.of_a.end(), is_finite), finite_b = std::all_of(op.of_b.begin(), op.of_b.end(), is_finite);
  int count = columns;
  const auto is_zero_column = [&](int j) {
    for (int p = 0; p < terms; ++p) {
      if (op.of_b[static_cast<size_t>(p * columns + j)] != 0) return false;
    }
    return true;
  };
  while (finite_a && count > 0 && is_zero_column(count - 1)) --count;
  for (int i = 0; i < warp_rows; ++i) {
    const float *const a = op.of_a.data() + i * terms;
    if (finite_b && std::all_of(a, a + terms, [](float x) { return x == 0; })) continue;
    add_row_here(sums.data() + i * columns, a, op.of_b.data(), terms, columns, count);
  }
}

/// Entry e of a lane's sums is entry (row, column) of its warp's 16 rows.
struct Entry {
  int row, column;
};
Entry entry_of(int lane, int e) { return {lane / 4 + e / 2 % 2 * 8, e / 4 * 8 + lane % 4 * 2 + e % 2}; }

template <class F> void for_entries(Accumulator &sums, const F &f) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int e = 0; e < sums.columns / 2; ++e) {
      const Entry at = entry_of(lane, e);
      f(sums.of_lane[lane] + e, sums.sums[static_cast<size_t>(at.row * sums.columns + at.column)]);
    }
  }
}

/// What the registers are now. They may be gone: then nobody asks.
__attribute__((no_sanitize("address"))) void read_registers(Fenced &known) {
  const size_t count = known.values.size() / 32;
  for (size_t lane = 0; lane < 32; ++lane) {
    const volatile float *const from = known.of_lane[lane];
    for (size_t e = 0; e < count; ++e) known.values[lane * count + e] = from[e];
  }
}
Fenced *find(Products &products, const float *of_first_lane) {
  for (Fenced &known : products.known) {
    if (known.of_lane[0] == of_first_lane) return &known;
  }
  return nullptr;
}

/// The sums become the registers that a product writes: they are nobody else's until somebody has waited for it.
Accumulator &begin_sums(Machine &m, Products &products, const std::array<float *, 32> &of_lane, int columns, bool add, const Site &site) {
  for (Accumulator &sums : products.accumulators) {
    if (sums.of_lane[0] != of_lane[0]) continue;
    if (sums.columns != columns) m.fail("products of two shapes in the same registers, without a wait between them", site);
    return sums;
  }
  const auto count = static_cast<size_t>(columns / 2);
  Fenced *known = find(products, of_lane[0]);
  if (add && known != nullptr && known->values.size() == 32 * count) {
    for (size_t lane = 0; lane < 32; ++lane) {
      if (std::memcmp(of_lane[lane], &known->values[lane * count], count * sizeof(float)) == 0) continue;
      m.fail("registers of sums that were written behind the fence", site);
    }
  }
  if (known == nullptr) known = &products.known.emplace_back();
  std::copy(of_lane.begin(), of_lane.end(), known->of_lane);
  known->values.assign(32 * count, 0.0f);
  Accumulator &sums = products.accumulators.emplace_back();
  std::copy(of_lane.begin(), of_lane.end(), sums.of_lane);
  sums.columns = columns;
  sums.sums.resize(static_cast<size_t>(warp_rows * columns));
  for_entries(sums, [](float *at, float &value) {
    value = *at;
    std::memcpy(at, &under_way, 4);
  });
  return sums;
}
void end_sums(Machine &m, Accumulator &sums, const Site &site) {
  for_entries(sums, [&](float *at, float value) {
    if (std::memcmp(at, &under_way, 4) != 0) m.fail("registers that a product under way writes were written", site);
    *at = value;
  });
}

void note(Products &products, uint64_t what) { products.history = (products.history ^ what) * 0x9e3779b97f4a7c15u + (what >> 29); }

struct Own {
  float *sums;
  uint64_t a, b;
  uint32_t add, of_a[4];
};

void issue(const Own &own, const Multiplication &what, const Site &site) {
  Machine &m = machine();
  const auto all = m.exchange(0xffffffffu, &own, sizeof own, site);
  if (!m.acts_for_warp()) return;
  Warp &warp = *m.current().warp_of;
  Products &products = warp.products;
  if (what.columns % 8 != 0 || what.columns < 8 || what.columns > 256) m.fail("a product of a shape that there is not", site);
  if (!products.fenced) m.fail("a product without a fence behind the last use of its registers", site);
  std::array<float *, 32> of_lane;
  Operation &op = products.issued.emplace_back();
  op.what = what;
  op.a = own.a, op.b = own.b, op.add = own.add != 0;
  const int terms = terms_of(what.number);
  if (what.a_in_registers) op.of_a.resize(static_cast<size_t>(warp_rows * terms));
  for (int lane = 0; lane < 32; ++lane) {
    const Own its = all.of<Own>(lane);
    of_lane[static_cast<size_t>(lane)] = its.sums;
    if (its.a != own.a || its.b != own.b || its.add != own.add) m.fail("a product whose lanes have different operands", site);
    for (int r = 0; what.a_in_registers && r < 4; ++r) { // (g, t), (g + 8, t), then the second 16 bytes of terms
      unsigned char bytes[4];
      std::memcpy(bytes, &its.of_a[r], 4);
      const int row = lane / 4 + r % 2 * 8, in_register = terms / 8, first = (r / 2 * 4 + lane % 4) * in_register;
      for (int e = 0; e < in_register; ++e) {
        op.of_a[static_cast<size_t>(row * terms + first + e)] = number_at(bytes + e * (4 / in_register), what.number);
      }
    }
  }
  op.into = &begin_sums(m, products, of_lane, what.columns, op.add, site);
  ++op.into->open;
  if (m.late()) read_operands(m, m.current().warp, op, site); // what has not arrived is missed
  note(products, own.a);
  note(products, own.b);
  note(products, static_cast<uint64_t>(what.columns) << 8 | static_cast<uint64_t>(what.number) << 4 | own.add);
}

} // namespace

void multiply(float *sums, const Multiplication &what, uint64_t a, uint64_t b, bool add, Site site) {
  issue({sums, a, b, add ? 1u : 0u, {}}, what, site);
}
void multiply(float *sums, const Multiplication &what, const uint32_t (&a)[4], uint64_t b, bool add, Site site) {
  issue({sums, 0, b, add ? 1u : 0u, {a[0], a[1], a[2], a[3]}}, what, site);
}

void fence_products(Site site) {
  Machine &m = machine();
  m.warp_barrier(0xffffffffu, site);
  if (!m.acts_for_warp()) return;
  Products &products = m.current().warp_of->products;
  products.fenced = true;
  for (Fenced &known : products.known) read_registers(known);
}

void commit_products(Site site) {
  Machine &m = machine();
  m.warp_barrier(0xffffffffu, site);
  if (!m.acts_for_warp()) return;
  Products &products = m.current().warp_of->products;
  products.groups.push_back(std::move(products.issued));
  products.issued.clear();
  note(products, 1);
}

void wait_for_products(int most_open, Site site) {
  Machine &m = machine();
  if (!m.late() && m.current().lane == 0 && m.random() % 4 == 0) m.be_late(); // who overwrites operands does it now
  m.warp_barrier(0xffffffffu, site);
  if (!m.acts_for_warp()) return;
  Products &products = m.current().warp_of->products;
  while (products.groups.size() > static_cast<size_t>(most_open)) {
    for (Operation &op : products.groups.front()) {
      execute(m, m.current().warp, op, site);
      if (--op.into->open > 0) continue;
      end_sums(m, *op.into, site);
      products.accumulators.remove_if([&](const Accumulator &sums) { return &sums == op.into; });
    }
    products.groups.pop_front();
  }
  products.fenced = false; // registers are used again
}

void set_registers(int count, bool takes, Site site) {
  Machine &m = machine();
  m.warp_barrier(0xffffffffu, site);
  if (!m.acts_for_warp()) return;
  Warp &warp = *m.current().warp_of;
  if (count % 8 != 0 || count < 24 || count > 256) m.fail("setmaxnreg of a number that is no multiple of 8 from 24 to 256", site);
  if (takes ? count < warp.registers : count > warp.registers) m.fail("setmaxnreg in the wrong direction", site);
  int &left = m.block().registers_left;
  while (takes && left < (count - warp.registers) * 32) m.idle("setmaxnreg for registers that nobody gives back", site);
  left -= (count - warp.registers) * 32;
  warp.registers = count;
}

const char *wrong_at_end(const Block &block, int warps) {
  for (int w = 0; w < warps; ++w) {
    const Products &products = block.warps[w].products;
    if (!products.issued.empty() || !products.groups.empty()) return "products that nobody has waited for";
    const Warp &first = block.warps[w / 4 * 4];
    if (products.history != first.products.history) return "a warpgroup whose warps have different products";
    if (block.warps[w].registers != first.registers) return "a warpgroup whose warps have different numbers of registers";
  }
  return nullptr;
}

} // namespace shim
