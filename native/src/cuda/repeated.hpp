// An op's execution for parts of it that follow one another and are of one kind: they take the same scratch memory, as their
// kernels run in the order of one stream.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <utility>
#include <vector>

#include "runtime/exec.hpp"

namespace f2i::cuda {

class Repeated final : public Exec {
public:
  explicit Repeated(Exec &ex) : ex_(ex) {}

  /// The next part begins: it asks for the same sizes, in the same order.
  void again() { next_ = 0; }

  Device *device() override { return ex_.device(); }
  Pool &pool() override { return ex_.pool(); }
  f2i_isa isa() const override { return ex_.isa(); }
  f2i_precision precision() const override { return ex_.precision(); }
  bool cancelled() const override { return ex_.cancelled(); }
  void *scratch(uint64_t bytes) override {
    const size_t at = next_++;
    if (at < blocks_.size() && blocks_[at].second >= bytes) return blocks_[at].first;
    void *const data = ex_.scratch(bytes);
    if (data == nullptr) return nullptr;
    if (at < blocks_.size()) blocks_[at] = {data, bytes};
    else blocks_.emplace_back(data, bytes);
    return data;
  }
  f2i_status fail(f2i_status status, const char *format, ...) override {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return ex_.fail(status, "%s", text);
  }

private:
  Exec &ex_;
  std::vector<std::pair<void *, uint64_t>> blocks_;
  size_t next_ = 0;
};

} // namespace f2i::cuda
