// Numbers that stand for native objects in JavaScript: a slot and its
// generation, so that a stale number is an error and never a dangling pointer.
#pragma once

#include <cstdint>
#include <vector>

namespace f2i::node {

template <class T> class Handles {
public:
  double add(T *object) {
    uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.push_back({nullptr, 0});
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].object = object;
    // Slots count from 1 in the number, so that 0 can mean "none".
    return static_cast<double>(slots_[slot].generation) * kGenerationUnit + slot + 1;
  }

  /// Null when the number is stale or was never given out.
  T *find(double handle) const {
    const Slot *slot = slot_of(handle);
    return slot ? slot->object : nullptr;
  }

  /// Forgets the number and returns its object; null as in find().
  T *remove(double handle) {
    Slot *slot = const_cast<Slot *>(slot_of(handle));
    if (!slot) return nullptr;
    T *object = slot->object;
    slot->object = nullptr;
    slot->generation = (slot->generation + 1) & kGenerationMask;
    free_.push_back(static_cast<uint32_t>(slot - slots_.data()));
    return object;
  }

private:
  struct Slot {
    T *object;
    uint32_t generation;
  };
  // 32 bits of slot and 21 of generation: what a double holds exactly.
  static constexpr double kGenerationUnit = 4294967296.0;
  static constexpr uint32_t kGenerationMask = (1u << 21) - 1;

  const Slot *slot_of(double handle) const {
    if (!(handle >= 1 && handle < kGenerationUnit * (kGenerationMask + 1.0))) return nullptr;
    const auto number = static_cast<uint64_t>(handle);
    const uint64_t index = (number & 0xffffffffu) - 1;
    if (index >= slots_.size()) return nullptr;
    const Slot &slot = slots_[index];
    return slot.object && slot.generation == number >> 32 ? &slot : nullptr;
  }

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
};

} // namespace f2i::node
