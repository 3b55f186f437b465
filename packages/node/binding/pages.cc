#include "pages.hpp"

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace f2i::node {

/// The huge pages of x86-64 and of most ARM systems; elsewhere the hint covers a little less.
constexpr uintptr_t huge_page = uintptr_t{2} << 20;

void ask_for_huge_pages([[maybe_unused]] void *data, [[maybe_unused]] size_t bytes) {
#if defined(MADV_HUGEPAGE)
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (begin + huge_page - 1) / huge_page * huge_page;
  const uintptr_t last = (begin + bytes) / huge_page * huge_page;
  if (last <= first) return;
  madvise(reinterpret_cast<void *>(first), last - first, MADV_HUGEPAGE); // a hint: its failure costs only speed
#endif
}

Napi::Value huge_pages(const Napi::CallbackInfo &info) {
  auto array = info[0].As<Napi::ArrayBuffer>();
  ask_for_huge_pages(array.Data(), array.ByteLength());
  return info.Env().Undefined();
}

} // namespace f2i::node
