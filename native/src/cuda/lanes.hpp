// The streams of a device, and what must wait for what.
//
// Work of one lane runs in its order. Between lanes only blocks of memory matter: work waits for what wrote the blocks
// that it reads, and for what used the blocks that it writes. So an upload runs beside the products before it unless
// one of them uses its memory, and a product never waits for the download of another's result.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/waits.hpp"

namespace f2i::cuda {

enum Lane : int {
  kernels,    // the caller's stream, or an own one
  uploads,    // from pinned memory
  downloads,  // to pinned memory
  allocation, // memory of the pool comes and goes
  lanes
};

/// Where in each lane a block was last written and read: numbers of work, 0 for never.
struct Uses {
  uint64_t written[lanes] = {}, read[lanes] = {};
};

class Lanes {
public:
  Lanes() = default;
  Lanes(const Lanes &) = delete;
  Lanes &operator=(const Lanes &) = delete;
  ~Lanes() { close(); }

  /// caller: the stream of the kernels, which stays the caller's; null for an own one.
  cudaError_t open(cudaStream_t caller);
  /// Waits for all work.
  void close();
  /// In the place of close(), where work may never end: streams and events are left alone for good.
  void abandon();
  cudaStream_t stream(Lane lane) const { return lane_[lane].stream; }

  /// What is enqueued on a lane between these two is one piece of work, and has a number.
  void begin(Lane lane) { ++lane_[lane].begun, lane_[lane].open = true; }
  void end(Lane lane) { lane_[lane].open = false; }
  uint64_t begun(Lane lane) const { return lane_[lane].begun; }
  /// Work that has begun reads or writes a block: it waits for the other lanes' use of it.
  cudaError_t use(Lane lane, Uses &block, bool writes);
  /// An event behind what is enqueued on the lane, unless there is one: others wait for no more than this.
  cudaError_t mark(Lane lane);
  /// Blocks until work up to this number has run, and perhaps a little more.
  cudaError_t wait(const Waiter &wait, Lane lane, uint64_t number);

private:
  static constexpr int most_marks = 256;
  struct Mark {
    cudaEvent_t event = nullptr;
    uint64_t number = 0;
  };
  struct Track {
    cudaStream_t stream = nullptr;
    uint64_t begun = 0;
    bool open = false; // between begin() and end()
    uint64_t seen[lanes] = {}; // work of other lanes that this one's next work waits for anyway
    Mark marks[most_marks];    // a ring; numbers rise from the oldest to the newest
    int newest = 0;
  };

  cudaError_t wait_between(Lane lane, Lane other, uint64_t number);
  cudaError_t mark_behind(Lane lane, uint64_t number, const Mark *&found);

  Track lane_[lanes];
  bool own_ = false;
};

} // namespace f2i::cuda
