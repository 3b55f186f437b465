// Matrix products by tiles, for every op that is one: gemm, linear, gram,
// cosine_matrix, conv2d, and the updates of the factorisations.
//
//   y[i, j] = finish(i, j, sum over p of a(i, p) b(j, p))
//
// An op describes its operands and what becomes of the sums; product() chooses the
// kernel, the tiles and the split of the sums. All is known at run time, so that
// each kernel is compiled once:
//
//   product.cu       the choice; sums of ranges are joined
//   gemm_mma.cu      tensor cores by mma.sync, sm_80 and newer
//   gemm_hopper.cu   tensor cores by wgmma and bulk tensor copies, sm_90a alone
//   gemm_simt.cu     the plain cores: f64, and f32 on sm_75
//   pack.cu          operands in the form that a kernel wants
#pragma once

#include "cuda/activate.cuh"

namespace f2i::cuda {

/// n / divisor for n < 2^31 by one multiplication (Granlund and Montgomery 1994, "Division by invariant integers
/// using multiplication", section 4).
struct Divisor {
  uint32_t divisor = 1, multiplier = 1, shift = 0;
  static Divisor of(int64_t value) {
    Divisor d;
    d.divisor = static_cast<uint32_t>(value);
    while ((uint64_t{1} << d.shift) < d.divisor) ++d.shift;
    d.multiplier = static_cast<uint32_t>((((uint64_t{1} << d.shift) - d.divisor) << 32) / d.divisor + 1);
    return d;
  }
  __device__ __forceinline__ uint32_t quotient(uint32_t n) const { return (__umulhi(n, multiplier) + n) >> shift; }
};

/// Of a picture: the pixels under a kernel, as a matrix of output pixels and terms (channel, kernel row, kernel
/// column).
struct Patches {
  uint32_t height = 0, width = 0, stride = 1, top = 0, left = 0;
  Divisor kernel_height, kernel_width, out_width;
};

/// Entry (i, p), term p of row i, lies at data[i by_row + p by_term], one of by_row and by_term being 1; or where
/// the patches say. Planes (pictures) and groups follow each other.
struct Operand {
  const void *data = nullptr;
  f2i_dtype dtype = F2I_F32; // f32, f64; f16 and bf16 are widened
  int64_t by_row = 0, by_term = 1;
  int64_t by_plane = 0, by_group = 0;
  bool is_patches = false; // f32 or f64
  Patches patches;

  __host__ __device__ bool along() const { return by_term == 1 && !is_patches; }
  __host__ __device__ bool half() const { return dtype == F2I_F16 || dtype == F2I_BF16; }

  /// Where entry (i, p) lies from data of this plane and group; -1: nowhere, it is zero.
  __device__ __forceinline__ int64_t place(int64_t i, int64_t p) const {
    if (!is_patches) return i * by_row + p * by_term;
    const auto pixel = static_cast<uint32_t>(i), term = static_cast<uint32_t>(p);
    const uint32_t row = patches.kernel_width.quotient(term), kx = term - row * patches.kernel_width.divisor;
    const uint32_t channel = patches.kernel_height.quotient(row), ky = row - channel * patches.kernel_height.divisor;
    const uint32_t oy = patches.out_width.quotient(pixel), ox = pixel - oy * patches.out_width.divisor;
    // Above and left of the picture they wrap around, and are beyond its extent, too.
    const uint32_t iy = oy * patches.stride + ky - patches.top, ix = ox * patches.stride + kx - patches.left;
    if (iy >= patches.height || ix >= patches.width) return -1;
    return (static_cast<int64_t>(channel) * patches.height + iy) * patches.width + ix;
  }
  template <class T> __device__ __forceinline__ T at(int64_t i, int64_t p) const {
    const int64_t where = place(i, p);
    if (where < 0) return T(0);
    if constexpr (sizeof(T) == 4) {
      if (dtype == F2I_F16) return widen(static_cast<const F16 *>(data)[where]);
      if (dtype == F2I_BF16) return widen(static_cast<const Bf16 *>(data)[where]);
    }
    return static_cast<const T *>(data)[where];
  }
  /// The operand of one plane and group.
  __host__ __device__ Operand of(int64_t plane, int64_t group) const {
    Operand one = *this;
    const int64_t entries = plane * by_plane + group * by_group;
    one.data = static_cast<const char *>(data) + entries * (dtype == F2I_F64 ? 8 : half() ? 2 : 4);
    return one;
  }
};

/// Rows of `ld` entries: the rows of the product's operand (along), or its terms.
template <class T> Operand operand(const T *data, int64_t ld, bool along) {
  Operand x;
  x.data = data;
  x.dtype = sizeof(T) == 8 ? F2I_F64 : F2I_F32;
  x.by_row = along ? ld : 1;
  x.by_term = along ? 1 : ld;
  return x;
}
inline Operand operand(const View &view, bool along) {
  Operand x = operand(view.as<const float>(), view.ld, along);
  x.dtype = view.dtype;
  return x;
}

/// What becomes of a sum: alpha sum + beta c + bias, activated, + residual, limited.
template <class T> struct Finish {
  T alpha = 1, beta = 0;
  const T *c = nullptr;
  int64_t ldc = 0;
  const T *row_bias = nullptr;    // one a column of y
  const T *column_bias = nullptr; // one a row of y
  f2i_activation_kind activation = F2I_ACTIVATION_NONE;
  const T *residual = nullptr;
  int64_t ldr = 0;
  bool limit = false;  // to [-1, 1]
  bool lower = false;  // entries above the diagonal are left as they are
  bool mirror = false; // y is symmetric: entry (j, i) is written with (i, j), i >= j
  T *y = nullptr;
  int64_t ldy = 0;
  int64_t by_plane = 0, by_group = 0; // of y and residual; column_bias has one a row of all groups
  int64_t bias_by_group = 0;
  int64_t c_by_plane = 0, row_bias_by_plane = 0;

  /// What is read for an entry. All that a thread reads for several is begun before it stores the first.
  struct Others {
    T c, residual;
  };
  __device__ __forceinline__ bool skips(int64_t i, int64_t j) const { return (mirror || lower) && j > i; }
  __device__ __forceinline__ Others load(int64_t i, int64_t j) const {
    return {c != nullptr ? c[i * ldc + j] : T(0), residual != nullptr ? residual[i * ldr + j] : T(0)};
  }
  __device__ __forceinline__ void store(int64_t i, int64_t j, T sum, const Others &others) const {
    if (skips(i, j)) return;
    T value = alpha * sum;
    if (c != nullptr) value = fused(beta, others.c, value);
    if (row_bias != nullptr) value += row_bias[j];
    if (column_bias != nullptr) value += column_bias[i];
    value = activate(activation, value);
    if (residual != nullptr) value += others.residual;
    if (limit) value = value > T(1) ? T(1) : value < T(-1) ? T(-1) : value;
    y[i * ldy + j] = value;
    if (mirror && i != j) y[j * ldy + i] = value;
  }
  __device__ __forceinline__ void store(int64_t i, int64_t j, T sum) const {
    if (!skips(i, j)) store(i, j, sum, load(i, j));
  }
  __host__ __device__ Finish of(int64_t plane, int64_t group) const {
    Finish one = *this;
    const int64_t entries = plane * by_plane + group * by_group;
    one.y += entries;
    if (c != nullptr) one.c += plane * c_by_plane;
    if (row_bias != nullptr) one.row_bias += plane * row_bias_by_plane;
    if (residual != nullptr) one.residual += entries;
    if (column_bias != nullptr) one.column_bias += group * bias_by_group;
    return one;
  }
};

template <class T> struct Product {
  int64_t m = 0, n = 0, k = 0;
  Operand a, b;
  Finish<T> finish;
  int64_t planes = 1, groups = 1; // products of one shape, each on its own
  /// Only tiles that have entries on or below the diagonal; m = n.
  bool lower = false;
  /// Operands may be rounded to this; halves of one type are multiplied as they are.
  f2i_precision precision = F2I_PRECISION_F32;
};

/// Enqueues a product. name: the op's, for errors.
f2i_status product(Exec &ex, const char *name, const Product<float> &p);
f2i_status product(Exec &ex, const char *name, const Product<double> &p);

} // namespace f2i::cuda
