// Copies between buffers and the caller's memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "runtime/exec.hpp"

namespace f2i {

/// Large copies are shared by the workers; one thread does not fill the bus.
inline void copy(Pool &pool, void *to, const void *from, uint64_t bytes) {
  constexpr uint64_t block = 1 << 20;
  const uint64_t blocks = (bytes + block - 1) / block;
  if (blocks < 4) {
    std::memcpy(to, from, bytes);
    return;
  }
  pool.parallel_for(static_cast<int64_t>(blocks), [=](int64_t task, int) {
    const uint64_t at = static_cast<uint64_t>(task) * block;
    std::memcpy(static_cast<char *>(to) + at, static_cast<const char *>(from) + at, std::min(block, bytes - at));
  });
}

} // namespace f2i
