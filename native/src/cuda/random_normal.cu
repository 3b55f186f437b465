// Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405) and the
// transform of Box and Muller (1958, doi:10.1214/aoms/1177706645): the stream of
// f2i.h, in double, because single precision is not good enough near u = 1.
#include "cuda/number.cuh"
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

struct Words {
  uint32_t at[4];
};

__device__ __forceinline__ Words philox(uint64_t seed, uint64_t block) {
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32), c2 = 0, c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = __umulhi(0xd2511f53u, c0), low0 = 0xd2511f53u * c0;
    const uint32_t high1 = __umulhi(0xcd9e8d57u, c2), low1 = 0xcd9e8d57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return {{c0, c1, c2, c3}};
}

/// A number of (0, 1), on whose ends no logarithm lies.
__device__ __forceinline__ double number(uint32_t word) { return (static_cast<double>(word >> 9) + 0.5) * 0x1p-23; }

template <class T> struct Drawn {
  uint64_t seed, offset;
  Matrix<T> y;
  int64_t cols;
  __device__ T load(int64_t i, int64_t j) const {
    const uint64_t element = offset + static_cast<uint64_t>(i) * static_cast<uint64_t>(cols) + static_cast<uint64_t>(j);
    const Words words = philox(seed, element / 4);
    const uint32_t which = static_cast<uint32_t>(element) & 3;
    if constexpr (std::is_same_v<T, int32_t>) {
      const uint32_t lower = which == 0 ? words.at[0] : words.at[1], upper = which == 2 ? words.at[2] : words.at[3];
      return static_cast<int32_t>(which < 2 ? lower : upper);
    } else {
      const double u = number(which < 2 ? words.at[0] : words.at[2]), v = number(which < 2 ? words.at[1] : words.at[3]);
      // The angle 2 pi v is a number of quarter turns and a rest of an eighth at most, exact until here.
      const double quarters = floor(4 * v + 0.5), angle = (v - quarters * 0.25) * 6.283185307179586476925;
      const double s = sin(angle), c = cos(angle);
      const uint32_t turn = static_cast<uint32_t>(quarters);
      const double cosine = (turn & 1) == 0 ? c : s, sine = (turn & 1) == 0 ? s : c;
      const double turned = (which & 1) == 0 ? (((turn + 1) & 2) != 0 ? -cosine : cosine) : ((turn & 2) != 0 ? -sine : sine);
      return static_cast<T>(sqrt(-2 * log(u)) * turned);
    }
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> f2i_status run(Exec &ex, const RandomNormal &op) {
  return for_tiles(ex, "random_normal", op.y.rows, op.y.cols, Drawn<T>{op.seed, op.offset, matrix_of<T>(op.y), op.y.cols});
}

} // namespace

f2i_status random_normal(Exec &ex, const RandomNormal &op) {
  switch (op.y.dtype) {
  case F2I_F64: return run<double>(ex, op);
  case F2I_I32: return run<int32_t>(ex, op);
  default: return run<float>(ex, op);
  }
}

} // namespace f2i::cuda
