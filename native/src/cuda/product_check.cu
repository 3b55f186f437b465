// Products by which gemm_hopper.cu is checked (hopper_check.hpp). They go where such kernels go wrong: edges within a tile,
// sums that end within a slice, slices that come round to each stage more than once, more tiles than run at once, ranges
// of a sum, one triangle. Operands are whole numbers whose sums are exact in f32 in whatever order, so that results must
// be equal; those of f32, whose small parts whole numbers would not have, may differ by what rounding does.
#include <cmath>
#include <string>
#include <vector>

#include "cuda/gemm.cuh"
#include "cuda/hopper_check.hpp"

namespace f2i::cuda::hopper {
namespace {

constexpr const char *check_name = "a check of Hopper's kernels";

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

Operand side(Trial &trial, const Case &one, int64_t rows, bool along, f2i_status &status) {
  const f2i_dtype type = one.kind == mma::Kind::bf16 ? F2I_BF16 : one.kind == mma::Kind::f16 ? F2I_F16 : F2I_F32;
  const int64_t high = along ? rows : one.k, wide = along ? one.k : rows, ld = ceil_div(wide, 8) * 8 + 8;
  const Entries entries = one.kind == mma::Kind::f32 ? Entries::any : Entries::whole;
  void *const data = trial.matrix(high, wide, ld, type, entries, status);
  return operand(View{data, high, wide, ld, type}, along);
}

f2i_status enqueue(Trial &trial, const Case &one) {
  f2i_status status = F2I_OK;
  Product<float> p;
  p.m = one.m, p.n = one.n, p.k = one.k;
  p.a = side(trial, one, one.m, true, status);
  p.b = one.lower ? p.a : side(trial, one, one.n, !one.across, status);
  p.lower = p.finish.lower = p.finish.mirror = one.lower;
  if (one.finishes) {
    p.finish.alpha = 0.5f, p.finish.beta = 2;
    p.finish.ldc = one.n + 1;
    p.finish.c = static_cast<const float *>(trial.matrix(one.m, one.n, p.finish.ldc, F2I_F32, Entries::whole, status));
    p.finish.row_bias = static_cast<const float *>(trial.matrix(1, one.n, one.n, F2I_F32, Entries::whole, status));
  }
  p.finish.ldy = one.n + 3;
  const int64_t count = one.m * p.finish.ldy;
  auto *const found = static_cast<float *>(trial.block(count * 4, status));
  auto *const expected = static_cast<float *>(trial.block(count * 4, status));
  F2I_TRY(status);
  p.finish.y = expected;
  F2I_TRY(product_by_mma(trial.aside(), check_name, p, one.kind));
  p.finish.y = found;
  if (!path().multiply(trial.aside(), check_name, p, one.kind, trial.alarm(), status) && status == F2I_OK) trial.is_absent();
  F2I_TRY(status);
  // Each way is right to (4 + sqrt(k)) roundings of the sum of the terms' magnitudes, which is k/4 on average.
  const double k = static_cast<double>(one.k);
  const double tolerance = one.kind == mma::Kind::f32 ? 2 * 0x1p-23 * (4 + std::sqrt(k)) * k / 4 : 0;
  return trial.compare(found, expected, count, static_cast<float>(tolerance));
}

Finding check_products(Exec &ex, f2i_status &status) {
  Trial trial(ex);
  for (const Case &one : cases_for(device_of(ex).processors())) {
    const std::string name = "a product of " + std::string(one.type) + ", " + std::to_string(one.m) + " x " +
                             std::to_string(one.n) + " x " + std::to_string(one.k);
    const Finding finding = trial.twice({name, one.m * one.n, one.n + 3, [&] { return enqueue(trial, one); }}, status);
    if (finding.trust != Trust::right) return finding;
  }
  return {Trust::right, ""};
}

} // namespace

bool product(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind, f2i_status &status) {
  status = F2I_OK;
  const HopperUse use = device_of(ex).hopper_use();
  uint32_t *alarm = nullptr;
  if (use == HopperUse::never || !path().suits(ex, p, kind, use == HopperUse::always)) return false;
  return may_use(ex, Part::products, check_products, alarm, status) && path().multiply(ex, name, p, kind, alarm, status);
}

} // namespace f2i::cuda::hopper
