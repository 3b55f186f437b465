// What is refused at once, with which status and which words.
#include <cstdlib>

#include "engine.hpp"

using namespace engine;

namespace {

/// A call that must be refused, and a part of what it must say.
void refused(f2i_status found, f2i_status expected, const char *part, int line) {
  if (found != expected) {
    check::report(false, __FILE__, line, std::string("expected ") + f2i_status_name(expected) + ", found " +
                                             f2i_status_name(found) + " for \"" + part + "\"");
    return;
  }
  check::contains(f2i_last_error(nullptr), part, __FILE__, line);
}
#define REFUSED(call, part) refused(call, F2I_INVALID_ARGUMENT, part, __LINE__)
#define REFUSED_AS(call, status, part) refused(call, status, part, __LINE__)

/// One buffer of 4096 bytes and matrices inside of it.
struct Fixture {
  Engine engine;
  f2i_buffer *a = engine.create(4096), *b = engine.create(4096), *c = engine.create(4096);

  static f2i_matrix at(f2i_buffer *buffer, int64_t rows, int64_t cols, f2i_dtype dtype = F2I_F32) {
    return {buffer, 0, rows, cols, cols, dtype, 0};
  }
};

} // namespace

TEST(context_descriptions) {
  f2i_context *context = nullptr;
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  REFUSED(f2i_context_create(nullptr, &context), "context_create: arguments: expected a struct, found NULL");
  REFUSED(f2i_context_create(&desc, nullptr), "out");
  desc.struct_size = 8;
  REFUSED(f2i_context_create(&desc, &context), "struct_size: expected at least 24, found 8");
  desc.struct_size = UINT32_MAX;
  REFUSED(f2i_context_create(&desc, &context), "struct_size");
  desc = F2I_INIT(f2i_context_desc);
  REFUSED_AS(f2i_context_create(&desc, &context), F2I_ABI_MISMATCH, "expected 1");
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = -1;
  REFUSED(f2i_context_create(&desc, &context), "threads: expected 0 to 1024, found -1");
  desc.threads = 100000;
  REFUSED(f2i_context_create(&desc, &context), "threads");
  desc.threads = 1;
  desc.isa = 9;
  REFUSED(f2i_context_create(&desc, &context), "isa: expected 0 to 3, found 9");
  CHECK(context == nullptr);
}

TEST(instruction_sets) {
  const auto create = [](f2i_isa isa, f2i_isa *chosen) {
    f2i_context_desc desc = F2I_INIT(f2i_context_desc);
    desc.abi_version = F2I_ABI_VERSION;
    desc.isa = isa;
    f2i_context *context = nullptr;
    const f2i_status status = f2i_context_create(&desc, &context);
    if (status == F2I_OK) {
      f2i_context_info info = F2I_INIT(f2i_context_info);
      ok(f2i_context_get_info(context, &info));
      *chosen = info.isa;
      CHECK(info.threads >= 1);
    }
    f2i_context_destroy(context);
    return status;
  };
  const char *const given = std::getenv("F2I_ISA");
  const std::string before = given != nullptr ? given : "";
  f2i_isa chosen = F2I_ISA_AUTO;
  for (f2i_isa isa = F2I_ISA_PORTABLE; isa <= F2I_ISA_AVX512; ++isa) {
    const f2i_status status = create(isa, &chosen);
    if (isa <= f2i_best_isa()) {
      CHECK_EQUAL(status, F2I_OK);
      CHECK_EQUAL(chosen, isa);
    } else {
      REFUSED_AS(status, F2I_UNSUPPORTED, "isa: expected at most");
    }
  }
  unsetenv("F2I_ISA");
  ok(create(F2I_ISA_AUTO, &chosen));
  CHECK_EQUAL(chosen, f2i_best_isa());
  setenv("F2I_ISA", "portable", 1);
  ok(create(F2I_ISA_AUTO, &chosen));
  CHECK_EQUAL(chosen, F2I_ISA_PORTABLE);
  ok(create(f2i_best_isa(), &chosen)); // an explicit choice wins
  CHECK_EQUAL(chosen, f2i_best_isa());
  setenv("F2I_ISA", "mmx", 1);
  REFUSED(create(F2I_ISA_AUTO, &chosen), "F2I_ISA: expected auto, portable, avx2 or avx512, found \"mmx\"");
  setenv("F2I_ISA", before.c_str(), 1);
}

TEST(handles) {
  Fixture f;
  const Engine other;
  f2i_buffer *foreign = other.create(64), *out = nullptr;
  float value = 0;
  REFUSED(f2i_sync(nullptr, nullptr), "sync: context");
  REFUSED(f2i_buffer_create(f.engine, 0, &out), "bytes: expected at least 1");
  REFUSED(f2i_buffer_create(f.engine, 4, nullptr), "out");
  REFUSED(f2i_buffer_write(f.engine, nullptr, 0, &value, 4), "buffer_write: buffer");
  REFUSED(f2i_buffer_write(f.engine, foreign, 0, &value, 4), "expected one of this context");
  REFUSED(f2i_buffer_write(f.engine, f.a, 4093, &value, 4), "expected a range inside of 4096 bytes, found 4 bytes at offset 4093");
  REFUSED(f2i_buffer_write(f.engine, f.a, UINT64_MAX, &value, 4), "range");
  REFUSED(f2i_buffer_write(f.engine, f.a, 4, &value, UINT64_MAX - 2), "range");
  REFUSED(f2i_buffer_write(f.engine, f.a, 0, nullptr, 4), "src");
  REFUSED(f2i_buffer_read(f.engine, f.a, 4096, &value, 1), "range");
  REFUSED(f2i_buffer_read(f.engine, f.a, 0, nullptr, 1), "dst");
  REFUSED(f2i_buffer_destroy(f.engine, foreign), "expected one of this context");
  REFUSED(f2i_buffer_adopt(f.engine, nullptr, 4, nullptr, nullptr, &out), "data");
  REFUSED(f2i_notify(f.engine, nullptr, nullptr, nullptr), "fn");
  REFUSED(f2i_token_cancel(nullptr), "token");
  CHECK_EQUAL(f2i_buffer_write(f.engine, f.a, 4096, nullptr, 0), F2I_OK); // nothing to write
  f2i_failure failure = F2I_INIT(f2i_failure);
  failure.struct_size = 12;
  REFUSED(f2i_sync(f.engine, &failure), "sync: struct_size: expected at least 272, found 12");

  f2i_cast_args cast = F2I_INIT(f2i_cast_args);
  cast.x = Fixture::at(foreign, 1, 4);
  cast.y = Fixture::at(f.a, 1, 4);
  REFUSED(f2i_cast(f.engine, &cast), "cast: x: buffer: expected one of this context, found another's");
  cast.x.buffer = nullptr;
  REFUSED(f2i_cast(f.engine, &cast), "cast: x: buffer: expected a handle, found NULL");
  REFUSED(f2i_cast(nullptr, &cast), "cast: context");
  REFUSED(f2i_cast(f.engine, nullptr), "cast: arguments");
}

TEST(matrices) {
  Fixture f;
  f2i_cast_args good = F2I_INIT(f2i_cast_args);
  good.x = Fixture::at(f.a, 8, 16);
  good.y = Fixture::at(f.b, 8, 16, F2I_F64);
  ok(f2i_cast(f.engine, &good));

  const auto with = [&](auto change, const char *part, int line) {
    f2i_cast_args args = good;
    change(args);
    refused(f2i_cast(f.engine, &args), F2I_INVALID_ARGUMENT, part, line);
  };
#define WITH(change, part) with([](f2i_cast_args &args) { change; }, part, __LINE__)
  WITH(args.x.dtype = 6, "x: dtype: expected 0 to 5, found 6");
  WITH(args.x.dtype = -1, "x: dtype");
  WITH(args.y.reserved = 1, "y: reserved: expected 0, found 1");
  WITH(args.reserved = 3, "reserved: expected 0, found 3");
  WITH(args.x.rows = -1, "x: shape: expected no negative extent, found -1 x 16");
  WITH(args.x.ld = 15, "x: ld: expected at least 16, found 15");
  WITH(args.x.offset = 2, "x: offset: expected a multiple of the element size 4, found 2");
  WITH(args.y.offset = 4, "y: offset: expected a multiple of the element size 8, found 4");
  WITH(args.x.offset = 4096 - 8 * 16 * 4 + 4, "x: 8 x 16 f32, ld 16, offset 3588 reaches beyond its buffer");
  WITH(args.x.ld = INT64_MAX, "x: 8 x 16 f32, ld 9223372036854775807");
  WITH(args.x.rows = INT64_MAX, "reaches beyond its buffer");
  WITH((args.x.rows = INT64_C(1) << 62, args.x.cols = args.x.ld = 4), "reaches beyond its buffer");
  WITH(args.x.offset = UINT64_MAX - 3, "reaches beyond its buffer");
  WITH(args.y.rows = 7, "cast: y: shape: expected 8 x 16, found 7 x 16");
  WITH(args.y.cols = 0, "y: shape");

  // The last row need not have a full leading dimension; the very end is fine.
  f2i_cast_args tight = good;
  tight.x = {f.a, 4096 - (7 * 100 + 16) * 4, 8, 16, 100, F2I_F32, 0};
  CHECK_EQUAL(f2i_cast(f.engine, &tight), F2I_OK);
  // Nothing to do is done at once, whatever the rest.
  f2i_cast_args empty = good;
  empty.x.rows = empty.y.rows = 0;
  CHECK_EQUAL(f2i_cast(f.engine, &empty), F2I_OK);
}

TEST(overlaps) {
  Fixture f;
  f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
  args.kind = F2I_ADD;
  const auto add = [&](f2i_matrix a, f2i_matrix b, f2i_matrix y) {
    args.a = a;
    args.b = b;
    args.y = y;
    return f2i_elementwise(f.engine, &args);
  };
  const f2i_matrix b = Fixture::at(f.b, 4, 8);
  f2i_matrix a = Fixture::at(f.a, 4, 8), y = a;
  CHECK_EQUAL(add(a, b, y), F2I_OK); // exactly in place
  y.offset = 4;
  REFUSED(add(a, b, y), "y overlaps a: expected exactly the same matrix or none of it");
  y.offset = 4 * 8 * 4;
  CHECK_EQUAL(add(a, b, y), F2I_OK); // directly behind
  y = a;
  REFUSED(add(b, a, y), "y overlaps b: expected an output apart from this input");
  // Column blocks of one matrix are apart although their extents overlap.
  a = {f.a, 0, 4, 8, 32, F2I_F32, 0};
  y = {f.a, 8 * 4, 4, 8, 32, F2I_F32, 0};
  CHECK_EQUAL(add(a, b, y), F2I_OK);
  y.offset = 24 * 4;
  CHECK_EQUAL(add(a, b, y), F2I_OK);
  y.offset = 25 * 4; // wraps into the first column of the next row
  REFUSED(add(a, b, y), "y overlaps a");
  y.offset = 7 * 4;
  REFUSED(add(a, b, y), "y overlaps a");
  y.offset = (3 * 32 + 8) * 4; // beside the last row only
  CHECK_EQUAL(add(a, b, y), F2I_OK);
  // Matrices of different pitch are compared by their extents.
  y = {f.a, 8 * 4, 4, 8, 33, F2I_F32, 0};
  REFUSED(add(a, b, y), "y overlaps a");

  f2i_eigh_args eigh = F2I_INIT(f2i_eigh_args);
  eigh.a = Fixture::at(f.a, 8, 8);
  eigh.w = Fixture::at(f.b, 1, 8);
  eigh.q = Fixture::at(f.b, 8, 8);
  REFUSED(f2i_eigh(f.engine, &eigh), "q overlaps w: expected outputs apart");
  eigh.q = eigh.a;
  REFUSED(f2i_eigh(f.engine, &eigh), "q overlaps a: expected an output apart");

  // The caller's memory is compared by address, across buffers.
  float memory[64] = {};
  f2i_buffer *low = nullptr, *high = nullptr;
  ok(f2i_buffer_adopt(f.engine, memory, 128, nullptr, nullptr, &low));
  ok(f2i_buffer_adopt(f.engine, memory + 16, 128, nullptr, nullptr, &high));
  REFUSED(add(Fixture::at(low, 1, 32), Fixture::at(f.b, 1, 32), Fixture::at(high, 1, 32)), "y overlaps a");
  CHECK_EQUAL(add(Fixture::at(low, 1, 16), Fixture::at(f.b, 1, 16), Fixture::at(high, 1, 16)), F2I_OK);
  // ... and may lie askew, which ops on wider elements refuse.
  f2i_buffer *askew = nullptr;
  ok(f2i_buffer_adopt(f.engine, reinterpret_cast<char *>(memory) + 1, 100, nullptr, nullptr, &askew));
  REFUSED(add(Fixture::at(askew, 1, 8), Fixture::at(f.b, 1, 8), Fixture::at(f.c, 1, 8)), "misaligned memory");
  ok(f2i_sync(f.engine, nullptr));
}

TEST(shapes_and_types_of_every_op) {
  Fixture f;
  const auto at = [](f2i_buffer *buffer, int64_t r, int64_t c, f2i_dtype dtype = F2I_F32) {
    return Fixture::at(buffer, r, c, dtype);
  };
  f2i_gemm_args gemm = F2I_INIT(f2i_gemm_args);
  gemm.a = at(f.a, 3, 4), gemm.b = at(f.b, 4, 5), gemm.y = at(f.c, 3, 5);
  const auto with_gemm = [&](auto change) {
    f2i_gemm_args args = gemm;
    change(args);
    return f2i_gemm(f.engine, &args);
  };
  CHECK_EQUAL(with_gemm([](auto &) {}), F2I_OK);
  REFUSED(with_gemm([](auto &g) { g.trans_a = 2; }), "gemm: trans_a: expected 0 or 1, found 2");
  REFUSED(with_gemm([](auto &g) { g.trans_b = 1; }), "gemm: b: shape: expected 4 x 4, found 4 x 5");
  REFUSED(with_gemm([](auto &g) { g.a.dtype = F2I_I32; }), "gemm: a: dtype: expected f32 or f64 or f16 or bf16, found i32");
  REFUSED(with_gemm([](auto &g) { g.b.dtype = F2I_F64; }), "gemm: b: dtype: expected f32 or f16 or bf16, found f64");
  REFUSED(with_gemm([](auto &g) { g.y.rows = 4; }), "gemm: y: shape: expected 3 x 5, found 4 x 5");
  REFUSED(with_gemm([&](auto &g) { g.c = at(f.a, 5, 3); }), "gemm: c: shape: expected 3 x 5");
  REFUSED(with_gemm([&](auto &g) { g.bias = at(f.a, 5, 1); }), "gemm: bias: shape: expected 1 x 5");
  CHECK_EQUAL(with_gemm([](auto &g) { g.a.cols = 0, g.b.rows = 0; }), F2I_OK); // a sum of no terms
  REFUSED(with_gemm([](auto &g) { g.shared_b = -1; }), "gemm: shared_b: expected 0 or 1, found -1");
  REFUSED(with_gemm([](auto &g) { g.batch = -2; }), "gemm: batch: expected 0 or more, found -2");
  REFUSED(with_gemm([](auto &g) { g.batch = 2; }), "gemm: a: shape: expected rows of 2 planes, found 3");
  REFUSED(with_gemm([](auto &g) { g.batch = 3; }), "gemm: b: shape: expected 12 x 5, found 4 x 5");
  REFUSED(with_gemm([](auto &g) { g.batch = 3, g.trans_b = 1, g.b.cols = 4; }), "gemm: b: shape: expected rows of 3 planes, found 4");
  CHECK_EQUAL(with_gemm([](auto &g) { g.batch = 3, g.shared_b = 1; }), F2I_OK);
  REFUSED(with_gemm([](auto &g) { g.batch = 3, g.shared_b = 1, g.y.rows = 1; }), "gemm: y: shape: expected 3 x 5, found 1 x 5");
  REFUSED(with_gemm([&](auto &g) { g.batch = 3, g.shared_b = 1, g.bias = at(f.a, 2, 5); }), "gemm: bias: shape: expected 1 x 5, found 2 x 5");
  CHECK_EQUAL(with_gemm([&](auto &g) { g.batch = 3, g.shared_b = 1, g.bias = at(f.a, 3, 5); }), F2I_OK);
  // What callers of the first version pass; the field behind it is not read.
  CHECK_EQUAL(with_gemm([](auto &g) { g.struct_size = 272, g.batch = 77; }), F2I_OK);
  REFUSED(with_gemm([](auto &g) { g.struct_size = 271; }), "gemm: struct_size: expected at least 272, found 271");

  f2i_gram_args gram = F2I_INIT(f2i_gram_args);
  gram.x = at(f.a, 3, 4), gram.y = at(f.b, 4, 4);
  REFUSED(f2i_gram(f.engine, &gram), "gram: y: shape: expected 3 x 3, found 4 x 4");
  gram.x = at(f.a, 4, 0);
  REFUSED(f2i_gram(f.engine, &gram), "gram: x: shape: expected no empty matrix, found 4 x 0");
  gram.x = at(f.a, 3, 4);
  gram.columns = 1;
  CHECK_EQUAL(f2i_gram(f.engine, &gram), F2I_OK);

  f2i_cholesky_factor_args factor = F2I_INIT(f2i_cholesky_factor_args);
  factor.a = at(f.a, 3, 4), factor.y = at(f.b, 3, 4);
  REFUSED(f2i_cholesky_factor(f.engine, &factor), "cholesky_factor: a: shape: expected a square matrix, found 3 x 4");

  f2i_cholesky_solve_args solve = F2I_INIT(f2i_cholesky_solve_args);
  solve.l = at(f.a, 4, 4), solve.b = at(f.b, 3, 2), solve.y = at(f.c, 3, 2);
  REFUSED(f2i_cholesky_solve(f.engine, &solve), "cholesky_solve: b: shape: expected 4 x 2, found 3 x 2");
  f2i_triangular_solve_args triangular = F2I_INIT(f2i_triangular_solve_args);
  triangular.l = at(f.a, 4, 4), triangular.b = at(f.b, 4, 2), triangular.y = at(f.c, 4, 3);
  REFUSED(f2i_triangular_solve(f.engine, &triangular), "triangular_solve: y: shape: expected 4 x 2");
  triangular.transpose = -1;
  REFUSED(f2i_triangular_solve(f.engine, &triangular), "transpose: expected 0 or 1, found -1");

  f2i_eigh_args eigh = F2I_INIT(f2i_eigh_args);
  eigh.a = at(f.a, 4, 4), eigh.w = at(f.b, 4, 1), eigh.q = at(f.c, 4, 4);
  REFUSED(f2i_eigh(f.engine, &eigh), "eigh: w: shape: expected 1 x 4, found 4 x 1");

  f2i_column_stats_args stats = F2I_INIT(f2i_column_stats_args);
  stats.x = at(f.a, 3, 4);
  REFUSED(f2i_column_stats(f.engine, &stats), "column_stats: mean and std: expected at least one output");
  stats.std = at(f.b, 1, 4);
  stats.ddof = 3;
  REFUSED(f2i_column_stats(f.engine, &stats), "column_stats: ddof: expected 0 to rows - 1 (3 rows), found 3");
  stats.ddof = 0;
  stats.std = at(f.b, 1, 3);
  REFUSED(f2i_column_stats(f.engine, &stats), "column_stats: std: shape: expected 1 x 4");

  f2i_standardize_args standardize = F2I_INIT(f2i_standardize_args);
  standardize.x = at(f.a, 3, 4), standardize.y = at(f.b, 3, 4), standardize.mean = at(f.c, 1, 5);
  REFUSED(f2i_standardize(f.engine, &standardize), "standardize: mean: shape: expected 1 x 4");

  f2i_pearson_columns_args pearson = F2I_INIT(f2i_pearson_columns_args);
  pearson.a = at(f.a, 3, 4), pearson.b = at(f.b, 3, 5), pearson.y = at(f.c, 1, 4);
  REFUSED(f2i_pearson_columns(f.engine, &pearson), "pearson_columns: b: shape: expected 3 x 4");

  f2i_cosine_matrix_args cosine = F2I_INIT(f2i_cosine_matrix_args);
  cosine.a = at(f.a, 3, 4), cosine.b = at(f.b, 5, 6), cosine.y = at(f.c, 3, 5);
  REFUSED(f2i_cosine_matrix(f.engine, &cosine), "cosine_matrix: b: shape: expected 5 x 4, found 5 x 6");

  f2i_top_k_args top = F2I_INIT(f2i_top_k_args);
  top.x = at(f.a, 3, 4), top.values = at(f.b, 3, 5), top.indices = at(f.c, 3, 5, F2I_I32);
  REFUSED(f2i_top_k(f.engine, &top), "top_k: values: cols: expected k from 1 to 4, found 5");
  top.values = at(f.b, 3, 2), top.indices = at(f.c, 3, 2);
  REFUSED(f2i_top_k(f.engine, &top), "top_k: indices: dtype: expected i32, found f32");

  f2i_elementwise_args element = F2I_INIT(f2i_elementwise_args);
  element.a = at(f.a, 3, 4), element.b = at(f.b, 2, 4), element.y = at(f.c, 3, 4);
  REFUSED(f2i_elementwise(f.engine, &element), "elementwise: b: shape: expected 3 x 4, found 2 x 4");
  element.kind = 6;
  REFUSED(f2i_elementwise(f.engine, &element), "elementwise: kind: expected a known kind, found 6");
  element.kind = F2I_SQRT;
  element.a.dtype = element.y.dtype = F2I_I32;
  REFUSED(f2i_elementwise(f.engine, &element), "elementwise: a: dtype: expected f32 or f64");
  element.kind = F2I_MUL;
  element.b = {};
  for (const double scalar : {0.5, 1e10, -1e10, double(NAN)}) {
    element.scalar = scalar;
    REFUSED(f2i_elementwise(f.engine, &element), "elementwise: scalar: expected an integer that i32 can hold");
  }

  f2i_gather_args gather = F2I_INIT(f2i_gather_args);
  const int32_t rows[] = {0, 3, 1};
  gather.x = at(f.a, 3, 4), gather.y = at(f.b, 3, 4), gather.row_indices = rows;
  REFUSED(f2i_gather(f.engine, &gather), "gather: row_indices[1]: expected 0 to 2, found 3");
  gather.y = {f.b, 0, INT64_MAX, 0, 1, F2I_F32, 0}; // no columns: nothing is looked up
  gather.x.cols = 0;
  CHECK_EQUAL(f2i_gather(f.engine, &gather), F2I_OK);
  gather.x = at(f.a, 3, 4);
  gather.row_indices = nullptr;
  gather.y = at(f.b, 2, 4);
  REFUSED(f2i_gather(f.engine, &gather), "gather: y: shape: expected 3 x 4");
  ok(f2i_sync(f.engine, nullptr));
}

/// Products of extents that wrap around would pass for small ones.
TEST(extents_of_networks_do_not_wrap) {
  Fixture f;
  f2i_attention_args attention = F2I_INIT(f2i_attention_args);
  attention.scale = 1;
  attention.q = attention.k = attention.v = Fixture::at(f.a, 4, 5), attention.y = Fixture::at(f.b, 4, 5);
  attention.batch = (INT64_C(1) << 62) + 1, attention.heads = 4; // 4 modulo 2^64
  REFUSED(f2i_attention(f.engine, &attention), "attention: batch and heads: shape: 4611686018427387905 times 4 is more");
  f2i_conv2d_args conv = F2I_INIT(f2i_conv2d_args);
  conv.batch = conv.channels = conv.height = 1 << 30, conv.kernel_height = conv.kernel_width = 1;
  conv.stride = conv.groups = 1;
  conv.x = {f.a, 0, 0, 1, 1, F2I_F32, 0}, conv.w = Fixture::at(f.b, 1, 1), conv.y = Fixture::at(f.c, 1, 1);
  REFUSED(f2i_conv2d(f.engine, &conv), "conv2d: x: shape: 1152921504606846976 times 1073741824 is more");
  f2i_upsample_nearest_args upsample = F2I_INIT(f2i_upsample_nearest_args);
  upsample.factor = 1 << 30, upsample.x = {f.a, 0, INT64_C(1) << 34, 0, 1, F2I_F32, 0}, upsample.y = Fixture::at(f.b, 0, 0);
  REFUSED(f2i_upsample_nearest(f.engine, &upsample), "upsample_nearest: y: shape: 17179869184 times 1073741824 is more");
  f2i_relative_position_bias_args relative = F2I_INIT(f2i_relative_position_bias_args);
  relative.table = Fixture::at(f.a, 5, 2), relative.y = Fixture::at(f.b, 2, 9);
  REFUSED(f2i_relative_position_bias(f.engine, &relative), "relative_position_bias: buckets: expected a list, found NULL");
}

CHECK_MAIN();
