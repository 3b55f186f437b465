// Pinned memory on the way between the caller's and the device's: slots of one size, made when they are first needed.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "cuda/waits.hpp"

namespace f2i::cuda {

struct Slot {
  void *data = nullptr;
  cudaEvent_t copied = nullptr; // behind the last copy that used it
};

/// The slots of one size; one thread.
class Slots {
public:
  Slots(uint64_t bytes, size_t most) : bytes_(bytes), most_(most) {}
  Slots(const Slots &) = delete;
  Slots &operator=(const Slots &) = delete;
  ~Slots();
  uint64_t bytes() const { return bytes_; }
  size_t count() const { return slots_.size(); }
  /// The device may still use them, and does for ever: they are left alone for good.
  void abandon() { slots_.clear(); }
  /// One more; null, and the error, where there is no pinned memory or enough of them.
  Slot *grow(cudaError_t &error);

private:
  const uint64_t bytes_;
  const size_t most_;
  std::deque<Slot> slots_; // whose addresses stay
};

/// For copies to the device: a ring. A slot is free again when the device has read it.
class UploadSlots {
public:
  UploadSlots(const Waiter &wait, uint64_t bytes, size_t most) : wait_(wait), slots_(bytes, most) {}
  uint64_t bytes() const { return slots_.bytes(); }
  void abandon() { slots_.abandon(); }
  /// Waits for the oldest where none is free and there are enough. The caller records `copied`.
  cudaError_t take(Slot *&slot);

private:
  const Waiter &wait_;
  Slots slots_;
  std::vector<Slot *> ring_;
  size_t next_ = 0;
};

/// For copies from the device: pieces that wait to be handed to the caller, in order. Any thread may hand over.
class Deliveries {
public:
  Deliveries(const Waiter &wait, uint64_t bytes, size_t most) : wait_(wait), slots_(bytes, most) { free_.reserve(most); }
  uint64_t bytes() const { return slots_.bytes(); }
  void abandon() { slots_.abandon(); }
  /// The queue's thread: a free slot; hands the oldest pieces over where none is free.
  cudaError_t take(Slot *&slot);
  /// A slot whose copy could not be enqueued.
  void give_back(Slot *slot) {
    const std::lock_guard lock(mutex_);
    free_.push_back(slot);
  }
  /// The slot's copy is enqueued and its event recorded: `bytes` of it go to `to`.
  void add(Slot *slot, void *to, uint64_t bytes);
  /// How many pieces there have been.
  uint64_t added() const { return added_; }
  /// Hands over the first `count` pieces of all, waiting for each.
  cudaError_t deliver(uint64_t count);

private:
  struct Piece {
    Slot *slot;
    void *to;
    uint64_t bytes;
  };
  bool deliver_one(uint64_t count, cudaError_t &error);

  const Waiter &wait_;
  std::mutex turn_;    // who hands over
  std::mutex mutex_;   // pieces_, free_
  Slots slots_;
  std::deque<Piece> pieces_;
  std::vector<Slot *> free_;
  uint64_t added_ = 0, delivered_ = 0;
};

} // namespace f2i::cuda
