// The allocator: alignment, ceiling, reuse, and memory given back.
#include <cstdint>
#include <cstring>
#include <vector>

#include "check.hpp"
#include "runtime/memory.hpp"

using f2i::Memory;

TEST(blocks_are_aligned_and_writable) {
  Memory memory;
  for (uint64_t bytes : {0u, 1u, 63u, 64u, 65u, 1000u, 4097u, 1u << 20, (1u << 20) + 1, 5u << 20}) {
    void *const data = memory.allocate(bytes);
    CHECK(data != nullptr);
    CHECK_EQUAL(reinterpret_cast<uintptr_t>(data) % 64, 0u);
    std::memset(data, 1, bytes);
    CHECK_EQUAL(memory.live(), bytes);
    memory.release(data, bytes);
    CHECK_EQUAL(memory.live(), 0u);
  }
}

TEST(the_ceiling_is_exact) {
  Memory memory(1000);
  void *const a = memory.allocate(600);
  CHECK(a != nullptr);
  CHECK(memory.allocate(401) == nullptr);
  void *const b = memory.allocate(400);
  CHECK(b != nullptr);
  CHECK_EQUAL(memory.live(), 1000u);
  CHECK_EQUAL(memory.peak(), 1000u);
  memory.release(a, 600);
  CHECK(memory.allocate(601) == nullptr);
  memory.release(b, 400);
  CHECK_EQUAL(memory.live(), 0u);
}

TEST(what_is_cached_makes_room) {
  const uint64_t MiB = 1 << 20;
  Memory memory(64 * MiB);
  void *const a = memory.allocate(40 * MiB);
  memory.release(a, 40 * MiB);
  CHECK_EQUAL(memory.cached(), 40 * MiB);
  void *const b = memory.allocate(60 * MiB); // does not fit beside the cached block
  CHECK(b != nullptr);
  CHECK_EQUAL(memory.cached(), 0u);
  memory.release(b, 60 * MiB);
}

TEST(blocks_are_reused) {
  Memory memory;
  void *const a = memory.allocate(3 << 20);
  memory.release(a, 3 << 20);
  void *const b = memory.allocate(3 << 20);
  CHECK(a == b);
  memory.release(b, 3 << 20);
  memory.trim();
  CHECK_EQUAL(memory.cached(), 0u);
}

TEST(the_cache_is_bounded) {
  Memory memory;
  std::vector<void *> blocks;
  for (int i = 0; i < 12; ++i) blocks.push_back(memory.allocate(uint64_t{100} << 20));
  for (void *block : blocks) memory.release(block, uint64_t{100} << 20);
  CHECK(memory.cached() <= uint64_t{1024} << 20);
  void *const large = memory.allocate(uint64_t{600} << 20);
  const uint64_t before = memory.cached();
  memory.release(large, uint64_t{600} << 20);
  CHECK_EQUAL(memory.cached(), before); // large blocks go back to the system
}

TEST(absurd_sizes_are_refused) {
  Memory memory;
  CHECK(memory.allocate(UINT64_MAX) == nullptr);
  CHECK(memory.allocate(uint64_t{1} << 60) == nullptr);
  CHECK_EQUAL(memory.live(), 0u);
}

CHECK_MAIN();
