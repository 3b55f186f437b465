// Kernels of Hopper's own instructions are used on a GPU once they have been right there: the first op that would take
// them computes something of its own by them and by mma.sync, and compares (product_check.cu, attention_check.cu). What is
// found holds for the GPU in this process. F2I_CUDA_HOPPER=0 never uses them, 1 always, without a check.
#include "cuda/hopper_check.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "cuda/gemm.cuh"

namespace f2i::cuda::hopper {
namespace {

/// Of one part on one GPU.
class Verdict {
public:
  Trust trust() const { return trust_.load(); }
  /// Whoever asks first finds out; those who ask about this GPU meanwhile wait for it.
  Trust find(Exec &ex, Check *check, f2i_status &status) {
    if (const Trust known = trust(); known != Trust::unknown) return known;
    const std::lock_guard checking(checking_);
    if (trust() == Trust::unknown) set(check(ex, status));
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

Verdict &verdict_of(int index, Part part) {
  struct Verdicts {
    std::mutex mutex;
    std::map<std::pair<int, Part>, Verdict> of; // whose addresses stay
  };
  static Verdicts &verdicts = *new Verdicts; // outlives whatever ends with the process
  const std::lock_guard lock(verdicts.mutex);
  return verdicts.of[{index, part}];
}

std::string description(int index, Part part) {
  const Verdict &verdict = verdict_of(index, part);
  const Trust trust = verdict.trust();
  if (trust == Trust::unknown) return "";
  const bool right = trust == Trust::right;
  const char *const text =
      part == Part::products
          ? right ? "products by Hopper's own instructions (wgmma) have been checked on this GPU and are used"
                  : "products by Hopper's own instructions (wgmma) are off, those of Ampere (mma.sync) are used instead: "
          : right ? "attention by Hopper's own instructions (wgmma) has been checked on this GPU and is used"
                  : "attention by Hopper's own instructions (wgmma) is off, that of Ampere (mma.sync) is used instead: ";
  return right ? text : text + verdict.text();
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

bool may_use(Exec &ex, Part part, Check *check, uint32_t *&alarm, f2i_status &status) {
  CudaDevice &device = device_of(ex);
  if (device.hopper_use() == HopperUse::never) return false;
  if (device.hopper_use() == HopperUse::after_check &&
      verdict_of(device.info().index, part).find(ex, check, status) != Trust::right) {
    return false;
  }
  alarm = device.alarm();
  if (alarm != nullptr) return true;
  status = ex.fail(F2I_OUT_OF_MEMORY, "no pinned memory for what kernels tell");
  return false;
}

void describe_check(int index, HopperUse use, char *text, size_t size) {
  const char *const all = "products and attention by Hopper's own instructions (wgmma)";
  if (use == HopperUse::never) {
    std::snprintf(text, size, "%s are off: F2I_CUDA_HOPPER=0", all);
  } else if (use == HopperUse::always) {
    std::snprintf(text, size, "%s are used unchecked: F2I_CUDA_HOPPER=1", all);
  } else {
    const std::string products = description(index, Part::products), attention = description(index, Part::attention);
    std::snprintf(text, size, "%s%s%s", products.c_str(), products.empty() || attention.empty() ? "" : "; ", attention.c_str());
  }
}

void gave_up(int index) {
  for (const Part part : {Part::products, Part::attention}) {
    verdict_of(index, part).set({Trust::wrong, "a kernel waited in vain for its operands in the middle of work"});
  }
}

} // namespace f2i::cuda::hopper
