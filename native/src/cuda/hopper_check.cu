// Products by Hopper's own instructions (gemm_hopper.cu) are used on a GPU once they have been right there: the first
// product that would take them computes some of its own by them and by mma.sync, and compares. What is found holds for the
// GPU in this process. F2I_CUDA_HOPPER=0 never uses them, 1 always, without a check.
//
// The products go where such kernels go wrong: edges within a tile, sums that end within a slice, slices that come round
// to each stage more than once, more tiles than run at once, ranges of a sum, one triangle. Each runs twice: what depends
// on who comes first may differ. Operands are whole numbers whose sums are exact in f32 in whatever order, so that results
// must be equal; those of f32, whose small parts whole numbers would not have, may differ by what rounding does.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cuda/aside.hpp"
#include "cuda/gemm.cuh"
#include "cuda/number.cuh"

namespace f2i::cuda::hopper {
namespace {

// ---- operands and differences

/// Of each entry another one, by the finalizer of MurmurHash3: whole numbers of at most 7, or numbers between -1 and 1 of
/// 24 bits.
template <class D>
__global__ void __launch_bounds__(256) fill_kernel(D *data, int64_t high, int64_t wide, int64_t ld, uint32_t seed, bool whole) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; e < high * wide; e += step) {
    uint32_t bits = static_cast<uint32_t>(e) * 2654435761u + seed * 0x9e3779b9u;
    bits = (bits ^ bits >> 16) * 0x85ebca6bu;
    bits = (bits ^ bits >> 13) * 0xc2b2ae35u;
    bits ^= bits >> 16;
    const float value = whole ? static_cast<float>(static_cast<int>(bits % 15) - 7)
                              : static_cast<float>(static_cast<int>(bits >> 8) - (1 << 23)) * 0x1p-23f;
    data[e / wide * ld + e % wide] = convert<D>(value);
  }
}

struct Differences {
  uint32_t entries; // that differ
  uint32_t largest; // the bits of the largest difference; of infinity where there is a NaN
  uint32_t last;    // the place of one of them, from 1
};

/// Everything from the first row to the last: between the rows, what was there before must be there still.
__global__ void __launch_bounds__(256)
    compare_kernel(const float *found, const float *expected, int64_t count, float tolerance, Differences *differences) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; e < count; e += step) {
    const float x = found[e], y = expected[e];
    const float difference = x < y ? y - x : x - y;
    if (bits_of(x) == bits_of(y) || difference <= tolerance) continue;
    atomicAdd(&differences->entries, 1u);
    atomicMax(&differences->largest, is_finite(difference) ? bits_of(difference) : 0x7f800000u);
    atomicMax(&differences->last, static_cast<uint32_t>(e) + 1);
  }
}

dim3 grid_of(int64_t count) {
  const int64_t blocks = ceil_div(count, 256);
  return dim3(static_cast<unsigned>(blocks < 4096 ? blocks : 4096));
}

// ---- what is computed

struct Case {
  mma::Kind kind;
  const char *type;
  bool across; // rows of b are terms
  int64_t m, n, k;
  bool lower;    // one triangle, of a with itself
  bool finishes; // c, a bias, factors
};

std::vector<Case> cases_for(int processors) {
  using mma::Kind;
  std::vector<Case> cases;
  const auto add = [&](Kind kind, const char *type, bool across) {
    const Extents x = path().extents(kind, processors);
    const int64_t ragged_rows = 2 * x.rows + x.rows / 2 + 5, ragged_columns = 2 * x.columns + x.columns / 2 - 3;
    const int64_t rounds = (2 * x.stages + 1) * x.terms + x.terms / 2 + 1; // of the stages
    cases.push_back({kind, type, across, ragged_rows, ragged_columns, rounds, false, true});
    const int64_t columns = ceil_div(x.at_once + x.at_once / 4 + 1, 10);
    cases.push_back({kind, type, across, 9 * x.rows + x.rows / 2, columns * x.columns - 1, 2 * x.terms + 3, false, false});
    cases.push_back({kind, type, across, x.rows - 3, x.columns + 5, 3 * x.range + x.terms / 2 + 1, false, true});
    if (kind == Kind::f32) cases.push_back({kind, type, false, ragged_rows, ragged_rows, rounds, true, false});
  };
  for (const bool across : {false, true}) {
    add(Kind::bf16, across ? "bf16 across" : "bf16", across);
    add(Kind::f16, across ? "f16 across" : "f16", across);
  }
  add(Kind::tf32, "tf32", false);
  add(Kind::f32, "f32", false);
  return cases;
}

// ---- how a check ends

enum class Trust { unknown, right, wrong };
struct Finding {
  Trust trust = Trust::unknown;
  std::string text; // why it is wrong
};

class Check {
public:
  explicit Check(Exec &ex) : ex_(ex), device_(device_of(ex)), aside_(ex) {}

  /// status: what the op that asked ends with, where it cannot go on.
  Finding run(f2i_status &status) {
    for (const Case &one : cases_for(device_.processors())) {
      for (int time = 0; time < 2; ++time) {
        status = enqueue(one);
        if (status == F2I_OUT_OF_MEMORY) {
          status = ex_.fail(status, "%s", aside_.message().c_str());
          return {};
        }
        const bool refused = status != F2I_OK;
        const std::string why = refused ? aside_.message() : absent_ ? "the library or the driver has none of it" : "";
        status = F2I_OK;
        if (const Finding ended = wait(one, status); ended.trust == Trust::wrong || status != F2I_OK) return ended;
        aside_.clear();
        if (!why.empty()) return wrong(one, why);
        if (const std::string found = difference(one); !found.empty()) return wrong(one, found);
      }
    }
    return {Trust::right, ""};
  }

private:
  static Finding wrong(const Case &one, const std::string &what) {
    return {Trust::wrong, "a product of " + std::string(one.type) + ", " + std::to_string(one.m) + " x " +
                              std::to_string(one.n) + " x " + std::to_string(one.k) + ": " + what};
  }

  /// NaN around the entries: whoever reads or writes too far shows.
  void *block(int64_t bytes, f2i_status &status) {
    void *const data = status == F2I_OK ? aside_.scratch(static_cast<uint64_t>(bytes)) : nullptr;
    if (data == nullptr) status = status == F2I_OK ? F2I_OUT_OF_MEMORY : status;
    else if (cudaMemsetAsync(data, 0xff, static_cast<size_t>(bytes), aside_.stream()) != cudaSuccess) status = F2I_INTERNAL;
    return data;
  }
  void *matrix(int64_t high, int64_t wide, int64_t ld, f2i_dtype type, bool whole, f2i_status &status) {
    void *const data = block(high * ld * size_of(type), status);
    if (status != F2I_OK) return data;
    const dim3 grid = grid_of(high * wide);
    ++seed_;
    status = type == F2I_BF16  ? F2I_LAUNCH(aside_, (fill_kernel<Bf16>), grid, dim3(256), 0, static_cast<Bf16 *>(data), high, wide, ld, seed_, whole)
             : type == F2I_F16 ? F2I_LAUNCH(aside_, (fill_kernel<F16>), grid, dim3(256), 0, static_cast<F16 *>(data), high, wide, ld, seed_, whole)
                               : F2I_LAUNCH(aside_, (fill_kernel<float>), grid, dim3(256), 0, static_cast<float *>(data), high, wide, ld, seed_, whole);
    return data;
  }
  Operand side(const Case &one, int64_t rows, bool along, f2i_status &status) {
    const f2i_dtype type = one.kind == mma::Kind::bf16 ? F2I_BF16 : one.kind == mma::Kind::f16 ? F2I_F16 : F2I_F32;
    const int64_t high = along ? rows : one.k, wide = along ? one.k : rows, ld = ceil_div(wide, 8) * 8 + 8;
    void *const data = matrix(high, wide, ld, type, one.kind != mma::Kind::f32, status);
    return operand(View{data, high, wide, ld, type}, along);
  }

  f2i_status enqueue(const Case &one) {
    absent_ = false;
    seed_ = 0;
    uint32_t *const words = aside_.words();
    if (words == nullptr) return F2I_OUT_OF_MEMORY;
    std::memset(words, 0, Aside::words_bytes);
    f2i_status status = F2I_OK;
    Product<float> p;
    p.m = one.m, p.n = one.n, p.k = one.k;
    p.a = side(one, one.m, true, status);
    p.b = one.lower ? p.a : side(one, one.n, !one.across, status);
    p.lower = p.finish.lower = p.finish.mirror = one.lower;
    if (one.finishes) {
      p.finish.alpha = 0.5f, p.finish.beta = 2;
      p.finish.ldc = one.n + 1;
      p.finish.c = static_cast<const float *>(matrix(one.m, one.n, p.finish.ldc, F2I_F32, true, status));
      p.finish.row_bias = static_cast<const float *>(matrix(1, one.n, one.n, F2I_F32, true, status));
    }
    p.finish.ldy = one.n + 3;
    const int64_t count = one.m * p.finish.ldy;
    auto *const found = static_cast<float *>(block(count * 4, status));
    auto *const expected = static_cast<float *>(block(count * 4, status));
    auto *const differences = static_cast<Differences *>(block(sizeof(Differences), status));
    F2I_TRY(status);
    p.finish.y = expected;
    F2I_TRY(product_by_mma(aside_, "a check of Hopper's kernels", p, one.kind));
    p.finish.y = found;
    absent_ = !path().multiply(aside_, "a check of Hopper's kernels", p, one.kind, words, status) && status == F2I_OK;
    F2I_TRY(status);
    // Each way is right to (4 + sqrt(k)) roundings of the sum of the terms' magnitudes, which is k/4 on average.
    const double k = static_cast<double>(one.k);
    const double tolerance = one.kind == mma::Kind::f32 ? 2 * 0x1p-23 * (4 + std::sqrt(k)) * k / 4 : 0;
    if (cudaMemsetAsync(differences, 0, sizeof *differences, aside_.stream()) != cudaSuccess) return F2I_INTERNAL;
    F2I_TRY(F2I_LAUNCH(aside_, compare_kernel, grid_of(count), dim3(256), 0, found, expected, count,
                       static_cast<float>(tolerance), differences));
    const cudaError_t copied = cudaMemcpyAsync(words + 4, differences, sizeof *differences, cudaMemcpyDeviceToHost, aside_.stream());
    return copied == cudaSuccess ? F2I_OK : aside_.fail(F2I_INTERNAL, "%s", cudaGetErrorString(copied));
  }

  Finding wait(const Case &one, f2i_status &status) {
    const cudaError_t error = aside_.wait(path().longest_check());
    if (error == cudaErrorNotReady) {
      const Finding hangs = wrong(one, "it does not end");
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
    const Finding faults = wrong(one, cudaGetErrorString(error));
    status = ex_.fail(status_of(error), "%s; start again with F2I_CUDA_HOPPER=0", faults.text.c_str());
    return faults;
  }

  std::string difference(const Case &one) {
    const uint32_t *const words = aside_.words();
    if (words[0] != 0) return "a kernel waited in vain";
    Differences found;
    std::memcpy(&found, words + 4, sizeof found);
    if (found.entries == 0) return "";
    float largest = 0;
    std::memcpy(&largest, &found.largest, sizeof largest);
    char text[160];
    const int64_t ld = one.n + 3, at = static_cast<int64_t>(found.last) - 1;
    std::snprintf(text, sizeof text, "%u of %lld entries differ from those by mma.sync, by up to %g, one of them (%lld, %lld)",
                  found.entries, static_cast<long long>(one.m * one.n), static_cast<double>(largest),
                  static_cast<long long>(at / ld), static_cast<long long>(at % ld));
    return text;
  }

  Exec &ex_;
  CudaDevice &device_;
  Aside aside_;
  bool absent_ = false;
  uint32_t seed_ = 0;
};

// ---- what is known in this process

/// Of one GPU.
class Verdict {
public:
  Trust trust() const { return trust_.load(); }
  /// Whoever asks first finds out; those who ask about this GPU meanwhile wait for it.
  Trust find(Exec &ex, f2i_status &status) {
    if (const Trust known = trust(); known != Trust::unknown) return known;
    const std::lock_guard checking(checking_);
    if (trust() == Trust::unknown) set(Check(ex).run(status));
    return trust();
  }
  void set(const Finding &finding) {
    const std::lock_guard lock(text_mutex_);
    text_ = finding.text;
    trust_.store(finding.trust);
  }
  std::string text() const {
    const std::lock_guard lock(text_mutex_);
    return text_;
  }

private:
  std::atomic<Trust> trust_{Trust::unknown};
  std::mutex checking_;
  mutable std::mutex text_mutex_;
  std::string text_;
};

Verdict &verdict_of(int index) {
  struct Verdicts {
    std::mutex mutex;
    std::map<int, Verdict> of; // whose addresses stay
  };
  static Verdicts &verdicts = *new Verdicts; // outlives whatever ends with the process
  const std::lock_guard lock(verdicts.mutex);
  return verdicts.of[index];
}

} // namespace

f2i_status read_use(HopperUse &use, char *why, size_t size) {
  const char *const text = std::getenv("F2I_CUDA_HOPPER");
  use = HopperUse::after_check;
  if (text == nullptr || *text == '\0') return F2I_OK;
  use = std::strcmp(text, "1") == 0 ? HopperUse::always : HopperUse::never;
  if (use == HopperUse::always || std::strcmp(text, "0") == 0) return F2I_OK;
  std::snprintf(why, size, "F2I_CUDA_HOPPER: expected 0, 1 or nothing, found \"%s\"", text);
  return F2I_INVALID_ARGUMENT;
}

bool product(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind, f2i_status &status) {
  status = F2I_OK;
  const HopperUse use = device_of(ex).hopper_use();
  if (use == HopperUse::never || !path().suits(ex, p, kind, use == HopperUse::always)) return false;
  if (use == HopperUse::after_check && verdict_of(device_of(ex).info().index).find(ex, status) != Trust::right) return false;
  uint32_t *const alarm = device_of(ex).alarm();
  if (alarm == nullptr) {
    status = ex.fail(F2I_OUT_OF_MEMORY, "no pinned memory for what kernels tell");
    return false;
  }
  return path().multiply(ex, name, p, kind, alarm, status);
}

void describe_check(int index, HopperUse use, char *text, size_t size) {
  const Verdict &verdict = verdict_of(index);
  const Trust trust = verdict.trust();
  const char *const what = "products by Hopper's own instructions (wgmma)";
  if (use == HopperUse::never) std::snprintf(text, size, "%s are off: F2I_CUDA_HOPPER=0", what);
  else if (use == HopperUse::always) std::snprintf(text, size, "%s are used unchecked: F2I_CUDA_HOPPER=1", what);
  else if (trust == Trust::right) std::snprintf(text, size, "%s have been checked on this GPU and are used", what);
  else if (trust == Trust::wrong) {
    std::snprintf(text, size, "%s are off, those of Ampere (mma.sync) are used instead: %s", what, verdict.text().c_str());
  } else if (size > 0) text[0] = '\0';
}

void gave_up(int index) {
  verdict_of(index).set({Trust::wrong, "a kernel waited in vain for its operands in the middle of work"});
}

} // namespace f2i::cuda::hopper
