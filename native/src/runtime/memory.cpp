#include "runtime/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "runtime/device.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#define F2I_HAS_MMAP 1
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
#endif

namespace f2i {
namespace {

constexpr uint64_t KiB = 1024, MiB = 1024 * KiB;
constexpr uint64_t alignment = 64;
constexpr uint64_t mapped_from = 1 * MiB;   // blocks of their own pages
constexpr uint64_t huge_page = 2 * MiB;     // and aligned for huge pages
constexpr uint64_t cache_most = 1024 * MiB; // all cached blocks together
constexpr uint64_t cache_block = 512 * MiB; // larger blocks go back at once
constexpr uint64_t large = 1 * MiB;         // of a device: worth being taken where nothing uses it any more
constexpr uint64_t largest = uint64_t{1} << 47; // beyond any address space

constexpr uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

/// The size class of a request: eight classes per power of two, so that at most
/// an eighth is wasted.
uint64_t capacity_for(uint64_t bytes) {
  bytes = std::max(bytes, alignment);
  const uint64_t step = std::max(alignment, std::bit_floor(bytes - 1) / 8);
  const uint64_t capacity = round_up(bytes, step);
  return capacity >= mapped_from ? round_up(capacity, 4 * KiB) : capacity;
}

void *processor_allocate(uint64_t capacity) {
#if F2I_HAS_MMAP
  if (capacity >= mapped_from) {
    // Ask for a huge page more than needed, keep the aligned part.
    const uint64_t slack = capacity >= 2 * huge_page ? huge_page : 0;
    void *const whole = mmap(nullptr, capacity + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED) return nullptr;
    auto *data = static_cast<char *>(whole);
    if (slack != 0) {
      const uint64_t head = round_up(reinterpret_cast<uintptr_t>(data), huge_page) - reinterpret_cast<uintptr_t>(data);
      if (head > 0) munmap(data, head);
      if (slack > head) munmap(data + head + capacity, slack - head);
      data += head;
#if defined(MADV_HUGEPAGE)
      madvise(data, capacity, MADV_HUGEPAGE); // a hint: its failure costs only speed
#endif
    }
    return data;
  }
#endif
  return std::aligned_alloc(alignment, capacity);
}

void processor_release(void *data, uint64_t capacity) {
  ASAN_UNPOISON_MEMORY_REGION(data, capacity);
#if F2I_HAS_MMAP
  if (capacity >= mapped_from) {
    munmap(data, capacity);
    return;
  }
#endif
  std::free(data);
}

} // namespace

Memory::~Memory() { trim(); }

void *Memory::system_allocate(uint64_t capacity) {
  return device_ != nullptr ? device_->allocate(capacity) : processor_allocate(capacity);
}

void Memory::system_release(void *data, uint64_t capacity) {
  if (device_ != nullptr) device_->release(data);
  else processor_release(data, capacity);
}

void *Memory::allocate(uint64_t bytes) {
  if (bytes > largest) return nullptr;
  const uint64_t capacity = capacity_for(bytes);
  const std::lock_guard lock(mutex_);
  const uint64_t live = live_.load(std::memory_order_relaxed) + bytes;
  if (limit_ != 0 && live > limit_) return nullptr;

  void *data = nullptr;
  Shelf &shelf = shelf_of(capacity);
  if (!shelf.blocks.empty()) {
    // Of a device's, the one that was given back first: an upload into the last one would wait for the op that has just
    // been enqueued. Small ones and the processor's are better while they are in a cache.
    const auto taken = device_ != nullptr && capacity >= large ? shelf.blocks.begin() : shelf.blocks.end() - 1;
    data = *taken;
    shelf.blocks.erase(taken);
    cached_.fetch_sub(capacity, std::memory_order_relaxed);
  } else {
    // What is cached counts as room: it goes before the ceiling is passed.
    if (limit_ != 0) trim_to(limit_ - live);
    data = system_allocate(capacity);
    if (data == nullptr) {
      trim_to(0);
      data = system_allocate(capacity);
    }
    if (data == nullptr && device_ != nullptr) {
      device_->trim(); // waits until what was given back in the order of its work is free
      data = system_allocate(capacity);
    }
    if (data == nullptr) return nullptr;
  }
  live_.store(live, std::memory_order_relaxed);
  peak_.store(std::max(peak(), live), std::memory_order_relaxed);

  if (device_ != nullptr) return data; // not for this process to look at
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<char *>(data) + bytes, capacity - bytes);
#if defined(__SANITIZE_ADDRESS__)
  // NaN in every float type: reading before writing shows. Huge blocks stay untouched, and so unused.
  std::memset(data, 0xff, std::min(bytes, 64 * MiB));
#endif
  return data;
}

void Memory::release(void *data, uint64_t bytes) {
  if (data == nullptr) return;
  const uint64_t capacity = capacity_for(bytes);
  const std::lock_guard lock(mutex_);
  live_.fetch_sub(bytes, std::memory_order_relaxed);
  // A device's memory is the context's to keep: giving it back costs a wait, and nobody else's programs run short.
  const bool device = device_ != nullptr;
  const uint64_t room = limit_ != 0 ? limit_ - std::min(limit_, live()) : largest;
  const uint64_t most = device ? room : std::min(cache_most, room);
  if ((device || capacity <= cache_block) && cached() + capacity <= most) {
    try {
      shelf_of(capacity).blocks.push_back(data);
      cached_.fetch_add(capacity, std::memory_order_relaxed);
      if (device_ == nullptr) ASAN_POISON_MEMORY_REGION(data, capacity);
      return;
    } catch (const std::bad_alloc &) { // no room to remember it: give it back
    }
  }
  system_release(data, capacity);
}

void Memory::trim() {
  const std::lock_guard lock(mutex_);
  trim_to(0);
  if (device_ != nullptr) device_->trim();
}

/// Gives back the largest blocks first until at most `bytes` are cached.
void Memory::trim_to(uint64_t bytes) {
  for (size_t i = shelves_.size(); i-- > 0 && cached() > bytes;) {
    Shelf &shelf = shelves_[i];
    while (!shelf.blocks.empty() && cached() > bytes) {
      system_release(shelf.blocks.back(), shelf.capacity);
      shelf.blocks.pop_back();
      cached_.fetch_sub(shelf.capacity, std::memory_order_relaxed);
    }
  }
}

Memory::Shelf &Memory::shelf_of(uint64_t capacity) {
  const auto at = std::lower_bound(shelves_.begin(), shelves_.end(), capacity,
                                   [](const Shelf &shelf, uint64_t c) { return shelf.capacity < c; });
  if (at != shelves_.end() && at->capacity == capacity) return *at;
  return *shelves_.insert(at, Shelf{capacity, {}});
}

} // namespace f2i
