#include "cuda/lanes.hpp"

namespace f2i::cuda {

cudaError_t Lanes::open(cudaStream_t caller) {
  for (int i = 0; i < lanes; ++i) {
    if (i == kernels && caller != nullptr) {
      lane_[i].stream = caller;
      continue;
    }
    const cudaError_t error = cudaStreamCreateWithFlags(&lane_[i].stream, cudaStreamNonBlocking);
    if (error != cudaSuccess) {
      lane_[i].stream = nullptr;
      return error;
    }
    if (i == kernels) own_ = true;
  }
  return cudaSuccess;
}

void Lanes::close() {
  for (Track &track : lane_) {
    if (track.stream != nullptr) (void)cudaStreamSynchronize(track.stream);
  }
  for (int i = 0; i < lanes; ++i) {
    for (Mark &mark : lane_[i].marks) {
      if (mark.event != nullptr) (void)cudaEventDestroy(mark.event);
      mark = {};
    }
    if (lane_[i].stream != nullptr && (i != kernels || own_)) (void)cudaStreamDestroy(lane_[i].stream);
    lane_[i].stream = nullptr;
  }
}

void Lanes::abandon() {
  for (Track &track : lane_) track = {};
}

cudaError_t Lanes::use(Lane lane, Uses &block, bool writes) {
  for (int other = 0; other < lanes; ++other) {
    if (other == lane) continue;
    uint64_t number = block.written[other];
    if (writes && block.read[other] > number) number = block.read[other];
    if (number == 0) continue;
    if (const cudaError_t error = wait_between(lane, static_cast<Lane>(other), number); error != cudaSuccess) return error;
  }
  (writes ? block.written : block.read)[lane] = lane_[lane].begun;
  return cudaSuccess;
}

cudaError_t Lanes::mark(Lane lane) {
  Track &track = lane_[lane];
  if (!track.open && track.marks[track.newest].number == track.begun) return cudaSuccess;
  const int next = (track.newest + 1) % most_marks;
  Mark &mark = track.marks[next]; // the oldest: who waited for it, waited for what it was then
  if (mark.event == nullptr) {
    const cudaError_t error = cudaEventCreateWithFlags(&mark.event, cudaEventDisableTiming);
    if (error != cudaSuccess) return error;
  }
  const cudaError_t error = cudaEventRecord(mark.event, track.stream);
  if (error != cudaSuccess) return error;
  mark.number = track.open ? track.begun - 1 : track.begun; // more of it may follow
  track.newest = next;
  return cudaSuccess;
}

/// The earliest mark at or behind the work of this number.
cudaError_t Lanes::mark_behind(Lane lane, uint64_t number, const Mark *&found) {
  Track &track = lane_[lane];
  if (track.marks[track.newest].number < number) {
    if (const cudaError_t error = mark(lane); error != cudaSuccess) return error;
  }
  found = &track.marks[track.newest];
  for (int i = 1; i < most_marks; ++i) {
    const Mark &earlier = track.marks[(track.newest + most_marks - i) % most_marks];
    if (earlier.event == nullptr || earlier.number < number) break;
    found = &earlier;
  }
  return cudaSuccess;
}

cudaError_t Lanes::wait_between(Lane lane, Lane other, uint64_t number) {
  Track &track = lane_[lane];
  if (track.seen[other] >= number) return cudaSuccess;
  const Mark *mark = nullptr;
  if (const cudaError_t error = mark_behind(other, number, mark); error != cudaSuccess) return error;
  const cudaError_t error = cudaStreamWaitEvent(track.stream, mark->event, 0);
  if (error == cudaSuccess) track.seen[other] = mark->number;
  return error;
}

cudaError_t Lanes::wait(const Waiter &wait, Lane lane, uint64_t number) {
  if (number == 0) return cudaSuccess;
  const Mark *mark = nullptr;
  const cudaError_t error = mark_behind(lane, number, mark);
  return error == cudaSuccess ? wait(mark->event) : error;
}

} // namespace f2i::cuda
