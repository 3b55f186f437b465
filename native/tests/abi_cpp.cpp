// A caller in C++11. What callers have compiled into themselves must not move:
// sizes and offsets of the structs and numbers of the enums, on 64-bit systems.
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "f2i/f2i.h"

#define SIZE(type, size) static_assert(sizeof(type) == (size), #type " has changed its size")
#define OFFSET(type, field, at) static_assert(offsetof(type, field) == (at), #type "." #field " has moved")

SIZE(f2i_context_desc, 56);
OFFSET(f2i_context_desc, abi_version, 4);
OFFSET(f2i_context_desc, threads, 8);
OFFSET(f2i_context_desc, isa, 12);
OFFSET(f2i_context_desc, memory_limit, 16);
OFFSET(f2i_context_desc, device, 24);
OFFSET(f2i_context_desc, stream, 32);
SIZE(f2i_device_info, 104);
OFFSET(f2i_device_info, memory_bytes, 24);
OFFSET(f2i_device_info, free_bytes, 96);
SIZE(f2i_context_info, 56);
OFFSET(f2i_context_info, live_bytes, 24);
OFFSET(f2i_context_info, queued_ops, 48);
SIZE(f2i_failure, 272);
OFFSET(f2i_failure, tag, 8);
OFFSET(f2i_failure, op, 16);
OFFSET(f2i_failure, message, 48);
SIZE(f2i_matrix, 48);
OFFSET(f2i_matrix, offset, 8);
OFFSET(f2i_matrix, rows, 16);
OFFSET(f2i_matrix, ld, 32);
OFFSET(f2i_matrix, dtype, 40);
SIZE(f2i_gemm_args, 280);
OFFSET(f2i_gemm_args, alpha, 16);
OFFSET(f2i_gemm_args, a, 32);
OFFSET(f2i_gemm_args, y, 224);
OFFSET(f2i_gemm_args, batch, 272);
SIZE(f2i_gram_args, 112);
OFFSET(f2i_gram_args, x, 16);
SIZE(f2i_cholesky_factor_args, 112);
OFFSET(f2i_cholesky_factor_args, shift, 8);
SIZE(f2i_cholesky_solve_args, 152);
OFFSET(f2i_cholesky_solve_args, l, 8);
SIZE(f2i_triangular_solve_args, 152);
OFFSET(f2i_triangular_solve_args, transpose, 4);
SIZE(f2i_eigh_args, 152);
OFFSET(f2i_eigh_args, w, 56);
SIZE(f2i_column_stats_args, 152);
OFFSET(f2i_column_stats_args, ddof, 4);
SIZE(f2i_standardize_args, 200);
OFFSET(f2i_standardize_args, y, 152);
SIZE(f2i_pearson_columns_args, 152);
SIZE(f2i_cosine_matrix_args, 152);
SIZE(f2i_top_k_args, 152);
OFFSET(f2i_top_k_args, smallest, 4);
SIZE(f2i_elementwise_args, 160);
OFFSET(f2i_elementwise_args, scalar, 8);
OFFSET(f2i_elementwise_args, y, 112);
SIZE(f2i_gather_args, 120);
OFFSET(f2i_gather_args, row_indices, 8);
OFFSET(f2i_gather_args, x, 24);
SIZE(f2i_cast_args, 104);
SIZE(f2i_linear_args, 216);
OFFSET(f2i_linear_args, w, 16);
OFFSET(f2i_linear_args, x, 24);
SIZE(f2i_activation_args, 104);
SIZE(f2i_gated_activation_args, 104);
SIZE(f2i_attention_args, 488);
OFFSET(f2i_attention_args, batch, 32);
OFFSET(f2i_attention_args, scale, 48);
OFFSET(f2i_attention_args, lse, 440);
SIZE(f2i_layer_norm_args, 216);
OFFSET(f2i_layer_norm_args, eps, 16);
SIZE(f2i_group_norm_args, 216);
OFFSET(f2i_group_norm_args, eps, 16);
SIZE(f2i_softmax_args, 104);
SIZE(f2i_conv2d_args, 296);
OFFSET(f2i_conv2d_args, stride, 28);
OFFSET(f2i_conv2d_args, x, 56);
SIZE(f2i_concat_args, 64);
SIZE(f2i_slice_args, 112);
SIZE(f2i_permute_args, 176);
OFFSET(f2i_permute_args, axes, 56);
OFFSET(f2i_permute_args, x, 80);
SIZE(f2i_rotary_args, 208);
SIZE(f2i_relative_position_bias_args, 112);
SIZE(f2i_upsample_nearest_args, 104);
SIZE(f2i_taps, 24);
OFFSET(f2i_taps, first, 8);
OFFSET(f2i_taps, weights, 16);
SIZE(f2i_resize2d_args, 152);
OFFSET(f2i_resize2d_args, columns, 32);
OFFSET(f2i_resize2d_args, x, 56);
SIZE(f2i_adaptive_max_pool1d_args, 104);
SIZE(f2i_random_normal_args, 72);
OFFSET(f2i_random_normal_args, seed, 8);
OFFSET(f2i_random_normal_args, y, 24);

static_assert(F2I_INVALID_ARGUMENT == 1 && F2I_UNSUPPORTED == 2 && F2I_OUT_OF_MEMORY == 3 && F2I_IO == 4 &&
                  F2I_CANCELLED == 5 && F2I_NOT_POSITIVE_DEFINITE == 6 && F2I_NO_CONVERGENCE == 7 &&
                  F2I_POISONED == 8 && F2I_ABI_MISMATCH == 9 && F2I_DEVICE_LOST == 10 && F2I_INTERNAL == 70,
              "status codes are fixed");
static_assert(F2I_F32 == 0 && F2I_F64 == 1 && F2I_F16 == 2 && F2I_BF16 == 3 && F2I_I32 == 4 && F2I_U8 == 5,
              "dtypes are fixed");
static_assert(F2I_ISA_AUTO == 0 && F2I_ISA_AVX512 == 3 && F2I_ADD == 0 && F2I_MIN == 5 && F2I_NEG == 16 &&
                  F2I_LOG == 21,
              "enums are append-only");

namespace {

struct ContextDeleter {
  void operator()(f2i_context *context) const { f2i_context_destroy(context); }
};

f2i_matrix matrix(f2i_buffer *buffer, int64_t rows, int64_t cols) {
  return f2i_matrix{buffer, 0, rows, cols, cols, F2I_F32, 0};
}

#define REQUIRE(condition)                                                                                         \
  do {                                                                                                             \
    if (!(condition)) {                                                                                            \
      std::fprintf(stderr, "abi_cpp.cpp:%d: %s (%s)\n", __LINE__, #condition, f2i_last_error(nullptr));            \
      return 1;                                                                                                    \
    }                                                                                                              \
  } while (false)

} // namespace

int main() {
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  f2i_context *raw = nullptr;
  REQUIRE(f2i_context_create(&desc, &raw) == F2I_OK);
  const std::unique_ptr<f2i_context, ContextDeleter> context(raw);

  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  f2i_buffer *bx = nullptr, *by = nullptr;
  REQUIRE(f2i_buffer_create(raw, 24, &bx) == F2I_OK);
  REQUIRE(f2i_buffer_create(raw, 24, &by) == F2I_OK);
  REQUIRE(f2i_buffer_write(raw, bx, 0, x.data(), 24) == F2I_OK);

  f2i_elementwise_args scale = F2I_INIT(f2i_elementwise_args);
  scale.kind = F2I_MUL;
  scale.scalar = 2;
  scale.a = matrix(bx, 2, 3);
  scale.y = matrix(by, 2, 3);
  REQUIRE(f2i_elementwise(raw, &scale) == F2I_OK);

  // A caller of a later version: its struct is longer. Fine while what we do
  // not know is zero.
  struct Later {
    f2i_cast_args known;
    uint64_t added;
  } later;
  std::memset(&later, 0, sizeof later);
  later.known.struct_size = sizeof later;
  later.known.x = matrix(by, 2, 3);
  later.known.y = matrix(bx, 2, 3);
  REQUIRE(f2i_cast(raw, &later.known) == F2I_OK);
  later.added = 1;
  REQUIRE(f2i_cast(raw, &later.known) == F2I_UNSUPPORTED);
  later.known.struct_size = 8;
  REQUIRE(f2i_cast(raw, &later.known) == F2I_INVALID_ARGUMENT);

  std::vector<float> y(6);
  REQUIRE(f2i_buffer_read(raw, bx, 0, y.data(), 24) == F2I_OK);
  REQUIRE(f2i_sync(raw, nullptr) == F2I_OK);
  for (size_t i = 0; i < 6; ++i) REQUIRE(y[i] == 2 * x[i]);
  return 0;
}
