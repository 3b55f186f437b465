// The shim executes what Hopper does asynchronously by its definition, and sees the mistakes that it promises to see
// (shim/asynchronous.hpp).
#include <string>
#include <vector>

#include "asynchronous.hpp"
#include "check.hpp"

using shim::Number;

namespace {

/// Runs a kernel twice, so that what is asynchronous happens early and late; what a failed launch said, or "".
template <class F> std::string run(unsigned blocks, unsigned threads, int cluster, F kernel) {
  std::string said;
  for (int time = 0; time < 2; ++time) {
    const int error = shim::launch(
        dim3(blocks), dim3(threads), 96 << 10, [](const void *user) { (*static_cast<const F *>(user))(); }, &kernel, nullptr, cluster);
    if (error != cudaSuccess) said = shim::launch_error();
  }
  return said;
}

/// The block's shared memory from a multiple of 1024 on.
unsigned char *room() {
  auto *const memory = static_cast<unsigned char *>(shim::shared(96 << 10));
  return memory + (1024 - shim::shared_address(memory) % 1024) % 1024;
}
uint64_t *barrier() { return reinterpret_cast<uint64_t *>(room() + (90 << 10)); }
void wait_for(uint64_t *at, uint32_t parity) {
  while (!shim::phase_is_over(at, parity)) continue;
}

uint64_t descriptor(const void *at, uint64_t leading, uint64_t stride, uint64_t mode) {
  return (shim::shared_address(at) & 0x3ffff) >> 4 | leading >> 4 << 16 | stride >> 4 << 32 | mode << 62;
}

/// A tensor of up to three dimensions, of f16 if entries have 2 bytes, in boxes whose rows of 128 bytes are swizzled.
int encode(CUtensorMap &map, const void *data, std::vector<uint64_t> extents, std::vector<uint64_t> strides,
           std::vector<uint32_t> box, int bytes = 2, CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B) {
  const uint32_t steps[5] = {1, 1, 1, 1, 1};
  return cuTensorMapEncodeTiled(&map, bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
                                static_cast<uint32_t>(extents.size()), const_cast<void *>(data), extents.data(), strides.data(),
                                box.data(), steps, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                                CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

struct Tensor {
  alignas(64) CUtensorMap map;
  alignas(16) uint16_t data[3 * 20 * 80];
  Tensor() {
    for (size_t e = 0; e < std::size(data); ++e) data[e] = static_cast<uint16_t>(1 + e);
    encode(map, data, {70, 20, 3}, {160, 3200}, {64, 16, 2});
  }
};

} // namespace

TEST(boxes_come_swizzled_with_zeros_beyond_the_tensor) {
  static Tensor tensor;
  std::vector<uint16_t> found(2 * 16 * 64);
  int undefined = 0;
  CHECK_EQUAL(run(1, 1, 1, [&] {
    shim::init_barrier(barrier(), 1);
    shim::expect_bytes(barrier(), 4096);
    shim::copy_box(room(), tensor.map, {40, 12, -1}, barrier(), 0);
    undefined += room()[0] == 0xff && room()[4095] == 0xff ? 1 : 0;
    wait_for(barrier(), 0);
    std::memcpy(found.data(), room(), 4096);
  }), "");
  CHECK_EQUAL(undefined, 1); // of the two launches
  int wrong = 0;
  for (int plane = 0; plane < 2; ++plane) {
    for (int row = 0; row < 16; ++row) {
      for (int column = 0; column < 64; ++column) {
        const bool inside = plane == 1 && row + 12 < 20 && column + 40 < 70;
        const int expected = inside ? (row + 12) * 80 + column + 40 + 1 : 0;
        const int line = plane * 16 + row, chunk = column / 8 ^ line % 8;
        wrong += found[static_cast<size_t>(line * 64 + chunk * 8 + column % 8)] != expected ? 1 : 0;
      }
    }
  }
  CHECK_EQUAL(wrong, 0);
}

TEST(both_blocks_of_a_cluster_get_a_copy_counted_by_their_own_barriers) {
  static Tensor tensor;
  std::vector<int> sums(4);
  CHECK_EQUAL(run(4, 32, 2, [&] {
    const int rank = shim::cluster_rank();
    if (threadIdx.x == 0) shim::init_barrier(barrier(), 1);
    shim::cluster_barrier();
    if (threadIdx.x == 0) {
      shim::expect_bytes(barrier(), 2 * 4096);
      shim::copy_box(room() + rank * 4096, tensor.map, {0, 0, rank}, barrier(), 3); // half of it to both
      wait_for(barrier(), 0);
      const auto *const entries = reinterpret_cast<const uint16_t *>(room());
      sums[blockIdx.x] = entries[0] + entries[2048];
    }
    shim::cluster_barrier();
  }), "");
  CHECK(sums == std::vector<int>(4, 1 + 1 + 1600));
}

TEST(tensor_maps_have_rules) {
  alignas(64) static CUtensorMap map;
  alignas(16) static uint16_t data[64 * 64];
  CHECK_EQUAL(encode(map, data, {64, 64}, {128}, {64, 64}), 0);
  CHECK_EQUAL(encode(map, data, {64, 64}, {128}, {64, 256}), 0);
  CHECK(encode(map, data + 4, {32, 32}, {128}, {64, 64}) != 0);  // begins at a multiple of 16 bytes
  CHECK(encode(map, data, {64, 64}, {120}, {64, 64}) != 0);      // so do its rows
  CHECK(encode(map, data, {64, 64}, {128}, {64, 257}) != 0);     // boxes have at most 256 entries a dimension,
  CHECK(encode(map, data, {64, 64}, {128}, {128, 64}) != 0);     // a row of one as many bytes as the swizzle,
  CHECK(encode(map, data, {64, 64}, {128}, {4, 64}, 2, CU_TENSOR_MAP_SWIZZLE_NONE) != 0); // or a multiple of 16
  CHECK(encode(map, data, {64, 0}, {128}, {64, 64}) != 0);
}

TEST(bulk_copies_have_rules) {
  static Tensor tensor;
  const auto copy = [&](int offset, const CUtensorMap &map, bool init) {
    if (init) shim::init_barrier(barrier(), 1);
    shim::copy_box(room() + offset, map, {0, 0, 0}, barrier(), 0);
    shim::expect_bytes(barrier(), 4096);
    wait_for(barrier(), 0);
  };
  CHECK_EQUAL(run(1, 1, 1, [&] { copy(1024, tensor.map, true); }), "");
  CHECK_CONTAINS(run(1, 1, 1, [&] { copy(512, tensor.map, true); }), "not aligned to the pattern of its swizzle");
  CHECK_CONTAINS(run(1, 1, 1, [&] { copy(0, tensor.map, false); }), "a barrier that was not initialised");
  CHECK_CONTAINS(run(1, 1, 1, [&] { copy(95 << 10, tensor.map, true); }), "beyond the shared memory");
  alignas(64) static CUtensorMap none{};
  CHECK_CONTAINS(run(1, 1, 1, [&] { copy(0, none, true); }), "without a tensor map");
  CHECK_CONTAINS(run(1, 1, 1, [&] {
    shim::init_barrier(barrier(), 1);
    shim::copy_box(room(), tensor.map, {0, 0, 0}, barrier(), 0);
  }), "ends while bulk copies to it are under way");
}

TEST(bytes_come_as_they_lie) {
  alignas(16) static uint8_t data[64];
  for (size_t i = 0; i < 64; ++i) data[i] = static_cast<uint8_t>(i);
  int wrong = 0;
  CHECK_EQUAL(run(1, 1, 1, [&] {
    shim::init_barrier(barrier(), 1);
    shim::expect_bytes(barrier(), 48);
    shim::copy_bytes(room() + 32, data + 16, 48, barrier());
    wait_for(barrier(), 0);
    wrong += std::memcmp(room() + 32, data + 16, 48) != 0 || room()[80] != 0xff ? 1 : 0;
  }), "");
  CHECK_EQUAL(wrong, 0);
  CHECK_CONTAINS(run(1, 1, 1, [&] {
    shim::init_barrier(barrier(), 1);
    shim::copy_bytes(room(), data, 20, barrier());
  }), "not multiples of 16");
}

TEST(barriers_count_arrivals_and_bytes) {
  CHECK_CONTAINS(run(1, 1, 1, [] { wait_for(barrier(), 0); }), "a barrier that was not initialised");
  CHECK_CONTAINS(run(1, 64, 1, [] {
    if (threadIdx.x == 0) shim::init_barrier(barrier(), 65);
    __syncthreads();
    shim::arrive_at(barrier(), 0);
    wait_for(barrier(), 0);
  }), "waits for a phase of parity 0 that never ends, with 1 of 65 arrivals and 0 bytes to come");
  CHECK_CONTAINS(run(1, 1, 1, [] {
    shim::init_barrier(barrier(), 1);
    shim::expect_bytes(barrier(), 16);
    shim::arrive_at(barrier(), 0);
  }), "more arrivals at a barrier than its phase expects");
  // Before its first phase is over, the one before counts as over.
  CHECK_EQUAL(run(1, 1, 1, [] {
    shim::init_barrier(barrier(), 1);
    wait_for(barrier(), 1);
    shim::arrive_at(barrier(), 0);
    wait_for(barrier(), 0);
  }), "");
  CHECK_CONTAINS(run(2, 1, 2, [] {
    if (shim::cluster_rank() == 1) return; // without waiting for the other
    shim::init_barrier(barrier(), 9);
    for (int i = 0; i < 2; ++i) shim::phase_is_over(barrier(), 0);
    shim::arrive_at(barrier(), 1);
  }), "a block of the cluster that has ended");
}

TEST(warps_meet_at_named_barriers) {
  std::vector<int> order;
  CHECK_EQUAL(run(1, 96, 1, [&] {
    if (threadIdx.x < 32) { // the third warp has nothing to do with it
      if (threadIdx.x == 0) order.push_back(1);
      shim::come_to(3, 64, false);
    } else if (threadIdx.x < 64) {
      shim::come_to(3, 64, true);
      if (threadIdx.x == 32) order.push_back(2);
    }
  }), "");
  CHECK(order == std::vector<int>({1, 2, 1, 2}));
  CHECK_CONTAINS(run(1, 64, 1, [] { if (threadIdx.x < 32) shim::come_to(1, 64, true); }), "a named barrier that not all threads reach");
}

// ---- products

namespace {

struct Layout {
  Number number;
  bool across; // rows are terms
  int mode;    // 0: none, 1: 128 bytes, 2: 64, 3: 32
};

/// Whole numbers of a few bits, which all types hold.
int entry(int i, int p, int seed) { return (i * 7 + p * 5 + seed * 3) % 11 - 5; }

void write_number(unsigned char *at, Number number, int value) {
  const float wide = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &wide, 4);
  if (number == Number::tf32) std::memcpy(at, &bits, 4);
  if (number == Number::bf16) std::memcpy(at, reinterpret_cast<unsigned char *>(&bits) + 2, 2);
  if (number == Number::f16) { // of -5 to 5
    const int size = std::abs(value), exponent = size >= 4 ? 2 : size >= 2 ? 1 : 0;
    const int half = size == 0 ? 0 : (exponent + 15) << 10 | (size << 10 >> exponent & 1023) | (value < 0 ? 1 << 15 : 0);
    const auto narrow = static_cast<uint16_t>(half);
    std::memcpy(at, &narrow, 2);
  }
}

/// Writes a matrix of `rows` by 32 bytes of terms as the figures of the canonical layouts have it; its descriptor.
uint64_t write_matrix(unsigned char *to, const Layout &layout, int rows, int seed) {
  const int size = layout.number == Number::tf32 ? 4 : 2, terms = 32 / size;
  const int width = layout.mode == 0 ? 16 : 256 >> layout.mode; // bytes of a row of the pattern
  uint64_t leading, stride;
  // Patterns of 8 rows (across: 8 terms) by `width` bytes, one after the other: across, along the terms first.
  const int patterns = layout.across ? (rows * size + width - 1) / width : (32 + width - 1) / width;
  if (!layout.across) {
    stride = static_cast<uint64_t>(8 * width * patterns), leading = static_cast<uint64_t>(layout.mode == 0 ? 8 * width : 16);
  } else if (layout.mode == 0) {
    stride = static_cast<uint64_t>(8 * width * 2), leading = static_cast<uint64_t>(8 * width);
  } else {
    stride = static_cast<uint64_t>(8 * width), leading = static_cast<uint64_t>(2 * 8 * width);
  }
  for (int i = 0; i < rows; ++i) {
    for (int p = 0; p < terms; ++p) {
      const int line = layout.across ? p : i, byte = (layout.across ? i : p) * size;
      const int which = layout.across ? byte / width * 2 + line / 8 : line / 8 * patterns + byte / width;
      int chunk = byte % width / 16;
      const int row = line % 8;
      if (layout.mode == 1) chunk ^= row;
      if (layout.mode == 2) chunk ^= row / 2;
      if (layout.mode == 3) chunk ^= row / 4;
      write_number(to + which * 8 * width + row * width + chunk * 16 + byte % 16, layout.number, entry(i, p, seed));
    }
  }
  return descriptor(to, leading, stride, static_cast<uint64_t>(layout.mode));
}

/// A warpgroup's product of numbers with itself, twice, against the obvious loops.
int wrong_sums(Number number, int columns, const Layout &of_a, const Layout &of_b, bool a_in_registers, std::string &said) {
  int wrong = 0;
  const int terms = number == Number::tf32 ? 8 : 16;
  said = run(1, 128, 1, [&] {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, g = lane / 4, t = lane % 4;
    static uint64_t a, b;
    if (thread == 0) {
      a = write_matrix(room(), of_a, 64, 1);
      b = write_matrix(room() + (16 << 10), of_b, columns, 2);
    }
    __syncthreads();
    uint32_t registers[4];
    for (int r = 0; r < 4; ++r) {
      const int row = thread / 32 * 16 + g + r % 2 * 8, in_one = terms / 8;
      for (int e = 0; e < in_one; ++e) {
        write_number(reinterpret_cast<unsigned char *>(&registers[r]) + e * (4 / in_one), number,
                     entry(row, (r / 2 * 4 + t) * in_one + e, 1));
      }
    }
    float sums[128];
    for (float &sum : sums) sum = 0.5f; // which the first product forgets
    const shim::Multiplication what{number, columns, of_a.across, of_b.across, a_in_registers};
    shim::fence_products();
    for (const bool add : {false, true}) {
      if (a_in_registers) shim::multiply(sums, what, registers, b, add);
      else shim::multiply(sums, what, a, b, add);
    }
    shim::commit_products();
    if (!std::isnan(sums[0]) || !std::isnan(sums[columns / 2 - 1])) ++wrong; // not before somebody has waited
    shim::wait_for_products(0);
    for (int e = 0; e < columns / 2; ++e) {
      const int i = thread / 32 * 16 + g + e / 2 % 2 * 8, j = e / 4 * 8 + 2 * t + e % 2;
      int expected = 0;
      for (int p = 0; p < terms; ++p) expected += 2 * entry(i, p, 1) * entry(j, p, 2);
      wrong += sums[e] != static_cast<float>(expected) ? 1 : 0;
    }
  });
  return wrong;
}

} // namespace

TEST(products_of_every_type_layout_and_width) {
  for (const Number number : {Number::bf16, Number::f16, Number::tf32}) {
    for (const int columns : {8, 64, 72, 256}) {
      for (int mode = 0; mode < 4; ++mode) {
        for (int across = 0; across < (number == Number::tf32 ? 1 : 4); ++across) {
          for (const bool a_in_registers : {false, true}) {
            std::string said;
            const Layout a{number, across % 2 == 1, mode}, b{number, across / 2 == 1, (mode + 1) % 4};
            const int wrong = wrong_sums(number, columns, a, b, a_in_registers, said);
            check::report(wrong == 0 && said.empty(), __FILE__, __LINE__,
                          "type " + std::to_string(static_cast<int>(number)) + ", columns " + std::to_string(columns) + ", mode " +
                              std::to_string(mode) + ", across " + std::to_string(across) + ": " + std::to_string(wrong) + " wrong " + said);
          }
        }
      }
    }
  }
}

namespace {

/// A warpgroup that multiplies, with something left out or done twice.
enum class Fault { none, no_fence, no_wait, early_write, late_write, other_descriptor, base, start, shape };
std::string multiply_with(Fault fault) {
  return run(1, 128, 1, [=] {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    static uint64_t a, b;
    if (threadIdx.x == 0) {
      a = write_matrix(room(), {Number::bf16, false, 1}, 64, 1);
      b = write_matrix(room() + (16 << 10), {Number::bf16, false, 1}, 64, 2);
      if (fault == Fault::base) b |= uint64_t{1} << 49;
      if (fault == Fault::start) b += 128 >> 4;
    }
    __syncthreads();
    float sums[32] = {};
    const shim::Multiplication what{Number::bf16, fault == Fault::shape ? 60 : 64, false, false, false};
    for (int time = 0; time < 2; ++time) {
      if (time == 0 || fault != Fault::no_fence) shim::fence_products();
      if (time == 1 && fault == Fault::late_write) sums[3] *= 2;
      shim::multiply(sums, what, a, fault == Fault::other_descriptor && warp == 2 ? b + 2 : b, true);
      shim::commit_products();
      if (fault == Fault::early_write && threadIdx.x == 77) sums[31] = 1;
      if (time == 0 || fault != Fault::no_wait) shim::wait_for_products(0);
    }
  });
}

} // namespace

TEST(products_have_rules) {
  CHECK_EQUAL(multiply_with(Fault::none), "");
  CHECK_CONTAINS(multiply_with(Fault::no_fence), "a product without a fence");
  CHECK_CONTAINS(multiply_with(Fault::no_wait), "products that nobody has waited for");
  CHECK_CONTAINS(multiply_with(Fault::early_write), "registers that a product under way writes were written");
  CHECK_CONTAINS(multiply_with(Fault::late_write), "written behind the fence");
  CHECK_CONTAINS(multiply_with(Fault::other_descriptor), "a warpgroup whose warps have different products");
  CHECK_CONTAINS(multiply_with(Fault::base), "a base offset");
  CHECK_CONTAINS(multiply_with(Fault::start), "does not begin with the pattern");
  CHECK_CONTAINS(multiply_with(Fault::shape), "a shape that there is not");
}

TEST(registers_are_those_of_a_multiprocessor) {
  const auto with = [](int given, int taken) { // of 168 each
    return run(1, 384, 1, [=] { shim::set_registers(threadIdx.x < 128 ? given : taken, threadIdx.x >= 128); });
  };
  CHECK_EQUAL(with(40, 232), "");
  CHECK_CONTAINS(with(40, 240), "registers that nobody gives back");
  CHECK_CONTAINS(with(41, 232), "no multiple of 8");
  CHECK_CONTAINS(with(176, 232), "in the wrong direction");
}

TEST(clusters_divide_the_grid) {
  CHECK_CONTAINS(run(3, 32, 2, [] {}), "clusters that do not divide the grid");
  CHECK_CONTAINS(run(8, 1024, 4, [] {}), "more threads of a cluster");
}

CHECK_MAIN();
