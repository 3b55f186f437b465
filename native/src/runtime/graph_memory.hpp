// The memory of a graph: blocks that stay its own from turn to turn, and that its ops use one after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/memory.hpp"

namespace f2i {

/// The queue's thread alone.
class GraphMemory {
public:
  explicit GraphMemory(Memory &memory) : memory_(memory) {}
  ~GraphMemory() { clear(); }
  GraphMemory(const GraphMemory &) = delete;
  GraphMemory &operator=(const GraphMemory &) = delete;

  /// A block that only its caller uses; null when there is no room.
  void *reserve(uint64_t bytes) {
    blocks_.reserve(blocks_.size() + 1); // so that nothing throws once memory is taken
    void *const data = memory_.allocate(bytes);
    if (data != nullptr) blocks_.push_back(Block{data, bytes, true});
    return data;
  }
  /// One that others may have used before; null when there is no room.
  void *allocate(uint64_t bytes) {
    Block *best = nullptr; // the smallest that is free and does not waste more than it holds
    for (Block &block : blocks_) {
      const bool fits = !block.used && block.bytes >= bytes && block.bytes / 2 <= bytes;
      if (fits && (best == nullptr || block.bytes < best->bytes)) best = &block;
    }
    if (best == nullptr) return reserve(bytes);
    best->used = true;
    return best->data;
  }
  /// What is enqueued later may use the block.
  void release(void *data) {
    for (Block &block : blocks_) {
      if (block.data == data) block.used = false;
    }
  }
  /// Gives everything back; work that is enqueued may still use it.
  void clear() {
    for (const Block &block : blocks_) memory_.release(block.data, block.bytes);
    blocks_.clear();
  }
  bool owns(const void *data) const {
    for (const Block &block : blocks_) {
      if (block.data == data) return true;
    }
    return false;
  }
  /// Calls f(block) for each block.
  template <class F> void each(F &&f) const {
    for (const Block &block : blocks_) f(block.data);
  }

private:
  struct Block {
    void *data;
    uint64_t bytes;
    bool used;
  };
  Memory &memory_;
  std::vector<Block> blocks_;
};

} // namespace f2i
