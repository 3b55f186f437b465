// The shim sees the mistakes that it promises to see (shim/cuda_runtime.h).
#include <string>
#include <vector>

#include "check.hpp"
#include "cuda/patience.cuh"
#include "cuda_runtime.h"

namespace {

/// Runs a kernel twice, so that its threads run in both orders; what the failed launch said, or "".
template <class F> std::string run(unsigned blocks, unsigned threads, size_t shared_bytes, F kernel) {
  std::string said;
  for (int time = 0; time < 2; ++time) {
    const int error = shim::launch(
        dim3(blocks), dim3(threads), shared_bytes, [](const void *user) { (*static_cast<const F *>(user))(); }, &kernel);
    if (error != cudaSuccess) said = shim::launch_error();
  }
  return said;
}

/// Sums of a block by halves, with or without the barrier between them.
std::vector<float> sums_of(bool with_barrier, int launches) {
  std::vector<float> found;
  float result = 0;
  for (int i = 0; i < launches; ++i) {
    const auto kernel = [&] {
      auto *const values = static_cast<float *>(shim::shared(64 * sizeof(float)));
      const unsigned t = threadIdx.x;
      values[t] = static_cast<float>(t);
      __syncthreads();
      for (unsigned half = 32; half > 0; half /= 2) {
        if (t < half) values[t] += values[t + half];
        if (with_barrier) __syncthreads();
      }
      if (t == 0) result = values[0];
    };
    const auto body = kernel;
    shim::launch(dim3(1), dim3(64), 64 * sizeof(float),
                 [](const void *user) { (*static_cast<const decltype(kernel) *>(user))(); }, &body);
    found.push_back(result);
  }
  return found;
}

} // namespace

TEST(threads_and_blocks_are_numbered) {
  std::vector<int> seen(3 * 96);
  CHECK_EQUAL(run(3, 96, 0, [&] { ++seen[blockIdx.x * blockDim.x + threadIdx.x]; }), "");
  for (const int times : seen) CHECK_EQUAL(times, 2);
}

TEST(a_missing_barrier_shows) {
  for (const float sum : sums_of(true, 2)) CHECK_EQUAL(sum, 2016.0f);
  const auto without = sums_of(false, 2);
  CHECK(without[0] != 2016.0f || without[1] != 2016.0f);
}

TEST(a_barrier_that_some_do_not_reach_is_named) {
  CHECK_CONTAINS(run(1, 64, 0, [] { if (threadIdx.x < 40) __syncthreads(); }), "a barrier that not all threads reach");
  CHECK_CONTAINS(run(1, 32, 0, [] { if (threadIdx.x < 5) __syncwarp(); }), "a barrier that not all threads reach");
  const std::string apart = run(1, 64, 0, [] {
    if (threadIdx.x < 32) __syncthreads();
    else
      __syncthreads();
  });
  CHECK_CONTAINS(apart, "threads of a block at two barriers");
  CHECK_CONTAINS(apart, "shim_test.cpp");
  CHECK_EQUAL(run(1, 64, 0, [] { __syncthreads(); }), ""); // and the next launch goes on
}

TEST(warps_exchange) {
  std::vector<int> sums(64), above(64);
  std::vector<unsigned> votes(64);
  CHECK_EQUAL(run(1, 64, 0, [&] {
    const int t = static_cast<int>(threadIdx.x), lane = t % 32;
    int sum = t;
    for (int bits = 16; bits > 0; bits /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bits);
    sums[threadIdx.x] = sum;
    above[threadIdx.x] = __shfl_up_sync(0xffffffffu, t, 1, 8);
    votes[threadIdx.x] = __ballot_sync(0xffffffffu, lane % 3 == 0);
  }), "");
  for (int t = 0; t < 64; ++t) {
    const auto u = static_cast<size_t>(t);
    CHECK_EQUAL(sums[u], t < 32 ? 496 : 1520);
    CHECK_EQUAL(above[u], t % 8 == 0 ? t : t - 1);
    CHECK_EQUAL(votes[u], 0x49249249u);
  }
}

TEST(asynchronous_copies_arrive_when_they_are_waited_for) {
  alignas(16) float from[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> early(2), late(8);
  CHECK_EQUAL(run(1, 1, 64, [&] {
    auto *const to = static_cast<float *>(shim::shared(32));
    shim::copy_later(to, from, 16, 16);
    shim::commit_copies();
    shim::copy_later(to + 4, from + 4, 16, 8);
    shim::commit_copies();
    shim::wait_for_copies(1);
    early[0] = to[0], early[1] = to[4];
    shim::wait_for_copies(0);
    for (size_t i = 0; i < 8; ++i) late[i] = to[i];
  }), "");
  CHECK(early[0] == 1 && std::isnan(early[1]));
  CHECK(late == std::vector<float>({1, 2, 3, 4, 5, 6, 0, 0}));
  CHECK_CONTAINS(run(1, 1, 64, [&] { shim::copy_later(shim::shared(32), from + 1, 16, 16); }), "not aligned");
}

TEST(shared_memory_has_bounds) {
  CHECK_CONTAINS(run(1, 1, 64, [] { shim::shared(65); }), "more shared memory than the launch gives");
  bool undefined = false;
  CHECK_EQUAL(run(1, 1, 64, [&] { undefined = std::isnan(*static_cast<float *>(shim::shared(64))); }), "");
  CHECK(undefined);
}

TEST(impossible_launches_are_refused) {
  CHECK_CONTAINS(run(1, 2048, 0, [] {}), "no device takes");
  CHECK_CONTAINS(run(0, 32, 0, [] {}), "no device takes");
}

namespace {
/// A second each time that somebody looks.
struct SlowClock {
  static inline uint64_t time = 0;
  static uint64_t now() { return time += 1000000000; }
};
} // namespace

TEST(waits_end) {
  using f2i::cuda::GaveUp;
  uint32_t word = 0;
  f2i::cuda::Patience<SlowClock> patience(&word, GaveUp::multiplying);
  int looks = 0;
  const uint64_t began = SlowClock::time;
  CHECK(patience.wait([&] { return true; }));
  CHECK_EQUAL(SlowClock::time, began); // the clock is looked at by those who wait
  for (int i = 0; i < 100; ++i) { // many waits, each within its time
    looks = 0;
    CHECK(patience.wait([&] { return ++looks == 4; }));
  }
  CHECK(!patience.gone() && word == 0);
  looks = 0;
  CHECK(!patience.wait([&] { return ++looks < 0; }));
  CHECK(patience.gone());
  CHECK_EQUAL(word, static_cast<uint32_t>(GaveUp::multiplying));
  CHECK(looks > 3 && looks < 10);
  word = 0;
  looks = 0;
  CHECK(!patience.wait([&] { return ++looks > 0; })); // and from then on nothing is waited for, nor told again
  CHECK_EQUAL(looks, 0);
  CHECK_EQUAL(word, 0u);
}

CHECK_MAIN();
