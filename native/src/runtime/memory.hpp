// The memory of a context: 64-byte aligned blocks under a ceiling, with a
// bounded cache of size classes, so that a loop of ops asks the system for
// nothing after its first turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace f2i {

class Device;

class Memory {
public:
  /// limit: most bytes handed out at once; 0 = no ceiling. device: whose memory; null for the processor's.
  explicit Memory(uint64_t limit = 0, Device *device = nullptr) : limit_(limit), device_(device) {}
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  /// Null when the ceiling or the system has no room. Contents are undefined.
  void *allocate(uint64_t bytes);
  /// bytes as asked for; null is fine.
  void release(void *data, uint64_t bytes);
  /// Gives cached blocks back to the system.
  void trim();

  uint64_t limit() const { return limit_; }
  uint64_t live() const { return live_.load(std::memory_order_relaxed); }
  uint64_t peak() const { return peak_.load(std::memory_order_relaxed); }
  uint64_t cached() const { return cached_.load(std::memory_order_relaxed); }

private:
  struct Shelf {
    uint64_t capacity;
    std::vector<void *> blocks;
  };
  Shelf &shelf_of(uint64_t capacity);
  void trim_to(uint64_t bytes);
  void *system_allocate(uint64_t capacity);
  void system_release(void *data, uint64_t capacity);

  const uint64_t limit_;
  Device *const device_;
  std::atomic<uint64_t> live_{0}, peak_{0}, cached_{0};
  std::mutex mutex_;
  std::vector<Shelf> shelves_; // sorted by capacity, one per size class in use
};

} // namespace f2i
