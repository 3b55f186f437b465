#include "cuda/staging.hpp"

#include <cstring>
#include <new>

namespace f2i::cuda {

Slots::~Slots() {
  for (const Slot &slot : slots_) {
    if (slot.copied != nullptr) (void)cudaEventDestroy(slot.copied);
    if (slot.data != nullptr) (void)cudaFreeHost(slot.data);
  }
}

Slot *Slots::grow(cudaError_t &error) {
  error = cudaSuccess;
  if (slots_.size() >= most_) return nullptr;
  Slot slot;
  error = cudaHostAlloc(&slot.data, bytes_, cudaHostAllocDefault);
  if (error == cudaSuccess) error = cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming);
  if (error == cudaSuccess) {
    try {
      return &slots_.emplace_back(slot);
    } catch (const std::bad_alloc &) {
      error = cudaErrorMemoryAllocation;
    }
  }
  (void)cudaGetLastError(); // it is told to who asked
  if (slot.copied != nullptr) (void)cudaEventDestroy(slot.copied);
  if (slot.data != nullptr) (void)cudaFreeHost(slot.data);
  return nullptr;
}

cudaError_t UploadSlots::take(Slot *&slot) {
  slot = nullptr;
  Slot *const oldest = ring_.empty() ? nullptr : ring_[next_];
  if (oldest == nullptr || cudaEventQuery(oldest->copied) != cudaSuccess) {
    cudaError_t error = cudaSuccess;
    if (Slot *const grown = slots_.grow(error)) {
      try {
        // In the place of the oldest, which becomes the next one.
        ring_.insert(ring_.begin() + static_cast<std::ptrdiff_t>(next_), grown);
      } catch (const std::bad_alloc &) {
        return cudaErrorMemoryAllocation;
      }
    } else if (oldest == nullptr) {
      return error;
    }
  }
  slot = ring_[next_];
  next_ = (next_ + 1) % ring_.size();
  return wait_(slot->copied);
}

cudaError_t Deliveries::take(Slot *&slot) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      slot = nullptr;
      if (!free_.empty()) {
        slot = free_.back();
        free_.pop_back();
        return cudaSuccess;
      }
    }
    cudaError_t error = cudaSuccess;
    slot = slots_.grow(error);
    if (slot != nullptr) return cudaSuccess;
    if (slots_.count() == 0) return error;
    if (!deliver_one(UINT64_MAX, error) && error == cudaSuccess) {
      const std::lock_guard lock(mutex_);
      if (free_.empty()) return cudaErrorMemoryAllocation; // none is on its way
    }
    if (error != cudaSuccess) return error;
  }
}

void Deliveries::add(Slot *slot, void *to, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  pieces_.push_back({slot, to, bytes});
  ++added_;
}

cudaError_t Deliveries::deliver(uint64_t count) {
  cudaError_t error = cudaSuccess;
  while (deliver_one(count, error)) {
  }
  return error;
}

bool Deliveries::deliver_one(uint64_t count, cudaError_t &error) {
  const std::lock_guard turn(turn_);
  Piece piece;
  {
    const std::lock_guard lock(mutex_);
    if (pieces_.empty() || delivered_ >= count) return false;
    piece = pieces_.front();
  }
  error = wait_(piece.slot->copied);
  if (error == cudaErrorNotReady) return false; // given up: it stays first, so that nobody takes it for delivered
  if (error == cudaSuccess) std::memcpy(piece.to, piece.slot->data, piece.bytes);
  const std::lock_guard lock(mutex_);
  pieces_.pop_front();
  ++delivered_;
  free_.push_back(piece.slot);
  return error == cudaSuccess;
}

} // namespace f2i::cuda
