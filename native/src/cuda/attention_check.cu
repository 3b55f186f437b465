// Attention by which attention_hopper.cu is checked (hopper_check.hpp), against the kernels of mma.sync. It goes where such
// kernels go wrong: queries and keys that end within a tile, dimensions that fill no box, tiles that come round to each
// stage more than once, more blocks than run at once, ranges of keys, whole tiles that nobody sees, rows that see nothing.
//
// Both ways round operands alike, to halves, and then weights, each to a unit in the last place of its own maximum: so
// results, means of values of at most 1, differ by two roundings at most. The logits' spread is so wide that each key is
// the most important one of some query.
#include <string>
#include <vector>

#include "cuda/attention_hopper.hpp"
#include "cuda/hopper_check.hpp"

namespace f2i::cuda::hopper {
namespace {

struct Case {
  const char *what;
  int64_t batch, heads, n, m, d, e;
  bool inside, shared, cosine, causal, null_key, mask, bias_heads, bias;
};

std::vector<Case> cases_for(int64_t processors) {
  const int64_t many = processors + processors / 4 + 1; // heads: so many that keys are not split into ranges
  return {
      {"of many blocks", 1, many, 70, 941, 52, 64, false, false, false, false, false, false, false, false},
      {"of many blocks", 1, many, 70, 941, 128, 70, true, false, false, false, false, false, true, true},
      {"causal", 2, 1, 450, 322, 64, 37, true, false, false, true, false, false, false, false},
      {"causal", 2, 1, 450, 322, 80, 128, false, false, false, true, false, false, false, false},
      {"of a prior", 2, 3, 131, 258, 52, 52, true, true, true, false, true, true, true, true},
      {"with all options", 1, 2, 200, 383, 100, 128, false, false, true, true, true, true, false, true},
      {"masked", 2, 2, 67, 300, 64, 64, false, false, false, false, false, true, false, false},
      {"in ranges", 1, 1, 33, 1500, 128, 128, false, false, false, false, false, false, false, true},
  };
}

f2i_status by_path(Exec &ex, const attend::Problem<float> &p, const attend::Halves &halves, void *state) {
  Trial &trial = *static_cast<Trial *>(state);
  f2i_status status = F2I_OK;
  if (!attention_path().attend(ex, p, halves, trial.alarm(), status) && status == F2I_OK) trial.is_absent();
  return status;
}
f2i_status by_mma(Exec &ex, const attend::Problem<float> &p, const attend::Halves &halves, void *) {
  return attend::by_mma(ex, p, halves);
}

f2i_status enqueue(Trial &trial, const Case &one, f2i_dtype half) {
  f2i_status status = F2I_OK;
  const int64_t planes = one.batch * one.heads, keys = (one.shared ? one.batch : planes) * one.m;
  const auto matrix = [&](int64_t high, int64_t wide, int64_t ld, f2i_dtype type = F2I_F32) {
    return View{trial.matrix(high, wide, ld, type, Entries::any, status), high, wide, ld, type};
  };
  Attention op;
  op.layout = one.inside ? F2I_HEADS_INSIDE : F2I_HEADS_FIRST;
  op.cosine = one.cosine, op.causal = one.causal, op.shared = one.shared, op.bias_heads = one.bias_heads;
  op.batch = one.batch, op.heads = one.heads;
  op.scale = one.cosine ? 20 : 1.5;
  op.q = matrix(planes * one.n, one.d, one.d + 3);
  op.k = matrix(keys, one.d, one.d);
  op.v = matrix(keys, one.e, one.e + 1);
  if (one.null_key) op.null_key = matrix(1, one.d, one.d), op.null_value = matrix(1, one.e, one.e);
  const int64_t all = one.m + (one.null_key ? 1 : 0);
  if (one.bias) op.bias = matrix((one.bias_heads ? one.heads : 1) * one.n, all, all + all % 2);
  if (one.mask) {
    op.mask = matrix(one.batch, one.m, one.m + 1, F2I_U8);
    // The last entry of the batch has no key but the null one.
    uint8_t *const last = op.mask.as<uint8_t>() + (one.batch - 1) * op.mask.ld;
    if (status == F2I_OK && cudaMemsetAsync(last, 0, static_cast<size_t>(one.m), device_of(trial.aside()).stream()) != cudaSuccess) {
      return F2I_INTERNAL;
    }
  }
  const int64_t ld = one.e + 3, ld_logs = one.n + 1, count = planes * one.n * ld, logs = planes * ld_logs;
  float *results[2] = {}, *sums[2] = {};
  for (int way = 0; way < 2; ++way) {
    results[way] = static_cast<float *>(trial.block(count * 4, status));
    sums[way] = static_cast<float *>(trial.block(logs * 4, status));
    op.y = {results[way], planes * one.n, one.e, ld, F2I_F32};
    op.lse = {sums[way], planes, one.n, ld_logs, F2I_F32};
    F2I_TRY(status);
    F2I_TRY(attend::in_halves(trial.aside(), op, half, way == 0 ? by_path : by_mma, &trial));
  }
  const float of_weights = (half == F2I_BF16 ? 0x1p-8f : 0x1p-11f) + 1e-4f, of_sums = 1e-4f;
  F2I_TRY(trial.compare(results[0], results[1], count, of_weights));
  return trial.compare(sums[0], sums[1], logs, of_sums, count);
}

Finding check_attention(Exec &ex, f2i_status &status) {
  Trial trial(ex);
  for (const f2i_dtype half : {F2I_BF16, F2I_F16}) {
    for (const Case &one : cases_for(device_of(ex).processors())) {
      const auto size = [&](int64_t extent) { return std::to_string(extent); };
      const std::string name = std::string("attention in ") + (half == F2I_BF16 ? "bf16, " : "f16, ") + one.what + ", " +
                               size(one.batch * one.heads) + " of " + size(one.n) + " x " + size(one.m) + ", " + size(one.d) +
                               " and " + size(one.e) + " dimensions";
      const int64_t planes = one.batch * one.heads;
      const Trial::Thing thing{name, planes * one.n * (one.e + 1), one.e + 3, [&] { return enqueue(trial, one, half); }};
      if (const Finding finding = trial.twice(thing, status); finding.trust != Trust::right) return finding;
    }
  }
  return {Trust::right, ""};
}

} // namespace

bool attention(Exec &ex, const attend::Problem<float> &p, const attend::Halves &halves, f2i_status &status) {
  status = F2I_OK;
  const HopperUse use = device_of(ex).hopper_use();
  uint32_t *alarm = nullptr;
  if (use == HopperUse::never || !attention_path().suits(ex, p, use == HopperUse::always)) return false;
  return may_use(ex, Part::attention, check_attention, alarm, status) && attention_path().attend(ex, p, halves, alarm, status);
}

} // namespace f2i::cuda::hopper
