#include "cuda/hopper_trial.hpp"

#include <cstdio>
#include <cstring>

#include "cuda/gemm.cuh"
#include "cuda/number.cuh"

namespace f2i::cuda::hopper {
namespace {

/// Of each entry another one, by the finalizer of MurmurHash3.
template <class D>
__global__ void __launch_bounds__(256) fill_kernel(D *data, int64_t high, int64_t wide, int64_t ld, uint32_t seed, bool whole) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; e < high * wide; e += step) {
    uint32_t bits = static_cast<uint32_t>(e) * 2654435761u + seed * 0x9e3779b9u;
    bits = (bits ^ bits >> 16) * 0x85ebca6bu;
    bits = (bits ^ bits >> 13) * 0xc2b2ae35u;
    bits ^= bits >> 16;
    D &entry = data[e / wide * ld + e % wide];
    if constexpr (sizeof(D) == 1) {
      entry = bits % 5 != 0 ? 1 : 0;
    } else {
      const float value = whole ? static_cast<float>(static_cast<int>(bits % 15) - 7)
                                : static_cast<float>(static_cast<int>(bits >> 8) - (1 << 23)) * 0x1p-23f;
      entry = convert<D>(value);
    }
  }
}

struct Differences {
  uint32_t entries; // that differ
  uint32_t largest; // the bits of the largest difference; of infinity where there is a NaN
  uint32_t last;    // the place of one of them, from 1
};

__global__ void __launch_bounds__(256)
    compare_kernel(const float *found, const float *expected, int64_t count, float tolerance, int64_t place,
                   Differences *differences) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; e < count; e += step) {
    const float x = found[e], y = expected[e];
    const float difference = x < y ? y - x : x - y;
    if (bits_of(x) == bits_of(y) || difference <= tolerance) continue;
    atomicAdd(&differences->entries, 1u);
    atomicMax(&differences->largest, is_finite(difference) ? bits_of(difference) : 0x7f800000u);
    atomicMax(&differences->last, static_cast<uint32_t>(place + e) + 1);
  }
}

dim3 grid_of(int64_t count) {
  const int64_t blocks = ceil_div(count, 256);
  return dim3(static_cast<unsigned>(blocks < 4096 ? blocks : 4096));
}

constexpr int place_of_differences = 4; // among the words

Finding wrong(const Trial::Thing &thing, const std::string &what) { return {Trust::wrong, thing.name + ": " + what}; }

} // namespace

void *Trial::block(int64_t bytes, f2i_status &status) {
  void *const data = status == F2I_OK ? aside_.scratch(static_cast<uint64_t>(bytes)) : nullptr;
  if (data == nullptr) status = status == F2I_OK ? F2I_OUT_OF_MEMORY : status;
  else if (cudaMemsetAsync(data, 0xff, static_cast<size_t>(bytes), aside_.stream()) != cudaSuccess) status = F2I_INTERNAL;
  return data;
}

void *Trial::matrix(int64_t high, int64_t wide, int64_t ld, f2i_dtype type, Entries entries, f2i_status &status) {
  void *const data = block(high * ld * size_of(type), status);
  if (status != F2I_OK) return data;
  ++seed_;
  const auto fill = [&]<class D>(D *to) {
    return F2I_LAUNCH(aside_, (fill_kernel<D>), grid_of(high * wide), dim3(256), 0, to, high, wide, ld, seed_, entries == Entries::whole);
  };
  switch (type) {
  case F2I_BF16: status = fill(static_cast<Bf16 *>(data)); break;
  case F2I_F16: status = fill(static_cast<F16 *>(data)); break;
  case F2I_U8: status = fill(static_cast<uint8_t *>(data)); break;
  default: status = fill(static_cast<float *>(data)); break;
  }
  return data;
}

f2i_status Trial::compare(const float *found, const float *expected, int64_t count, float tolerance, int64_t place) {
  f2i_status status = F2I_OK;
  if (differences_ == nullptr) {
    differences_ = block(sizeof(Differences), status);
    F2I_TRY(status);
    if (cudaMemsetAsync(differences_, 0, sizeof(Differences), aside_.stream()) != cudaSuccess) return F2I_INTERNAL;
  }
  auto *const differences = static_cast<Differences *>(differences_);
  F2I_TRY(F2I_LAUNCH(aside_, compare_kernel, grid_of(count), dim3(256), 0, found, expected, count, tolerance, place, differences));
  const cudaError_t copied = cudaMemcpyAsync(aside_.words() + place_of_differences, differences, sizeof *differences,
                                             cudaMemcpyDeviceToHost, aside_.stream());
  return copied == cudaSuccess ? F2I_OK : aside_.fail(F2I_INTERNAL, "%s", cudaGetErrorString(copied));
}

Finding Trial::twice(const Thing &thing, f2i_status &status) {
  for (int time = 0; time < 2; ++time) {
    absent_ = false;
    seed_ = 0;
    differences_ = nullptr;
    uint32_t *const words = aside_.words();
    if (words != nullptr) std::memset(words, 0, Aside::words_bytes);
    status = words == nullptr ? F2I_OUT_OF_MEMORY : thing.enqueue();
    if (status == F2I_OUT_OF_MEMORY) {
      status = ex_.fail(status, "%s", aside_.message().c_str());
      return {};
    }
    const bool refused = status != F2I_OK;
    const std::string why = refused ? aside_.message() : absent_ ? "the library or the driver has none of it" : "";
    status = F2I_OK;
    if (const Finding ended = wait(thing, status); ended.trust == Trust::wrong || status != F2I_OK) return ended;
    aside_.clear();
    if (!why.empty()) return wrong(thing, why);
    if (const std::string found = difference(thing); !found.empty()) return wrong(thing, found);
  }
  return {Trust::right, ""};
}

Finding Trial::wait(const Thing &thing, f2i_status &status) {
  const cudaError_t error = aside_.wait(path().longest_check());
  if (error == cudaErrorNotReady) {
    const Finding hangs = wrong(thing, "it does not end");
    device_.lose("the check of Hopper's kernels does not end; start again with F2I_CUDA_HOPPER=0", true);
    status = ex_.fail(F2I_DEVICE_LOST, "%s; start again with F2I_CUDA_HOPPER=0", hangs.text.c_str());
    return hangs;
  }
  if (error == cudaSuccess) return {};
  if (error == cudaErrorMemoryAllocation) { // nothing is known
    status = ex_.fail(F2I_OUT_OF_MEMORY, "no thread to wait for a check of the device");
    return {};
  }
  (void)cudaGetLastError();
  const Finding faults = wrong(thing, cudaGetErrorString(error));
  status = ex_.fail(status_of(error), "%s; start again with F2I_CUDA_HOPPER=0", faults.text.c_str());
  return faults;
}

std::string Trial::difference(const Thing &thing) {
  const uint32_t *const words = aside_.words();
  if (words[0] != 0) return "a kernel waited in vain";
  Differences found;
  std::memcpy(&found, words + place_of_differences, sizeof found);
  if (found.entries == 0) return "";
  float largest = 0;
  std::memcpy(&largest, &found.largest, sizeof largest);
  char text[160];
  const int64_t at = static_cast<int64_t>(found.last) - 1;
  std::snprintf(text, sizeof text, "%u of %lld entries differ from those by mma.sync, by up to %g, one of them (%lld, %lld)",
                found.entries, static_cast<long long>(thing.entries), static_cast<double>(largest),
                static_cast<long long>(at / thing.ld), static_cast<long long>(at % thing.ld));
  return text;
}

} // namespace f2i::cuda::hopper
