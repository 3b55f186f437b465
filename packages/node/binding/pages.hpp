#pragma once

#include <cstddef>

#include <napi.h>

namespace f2i::node {

/// Asks the system to back memory that nobody has written to by huge pages: the first write to each of 512 small pages costs
/// as much as filling it does, and Linux gives huge ones to those alone who ask.
void ask_for_huge_pages(void *data, size_t bytes);

/// hugePages(array: ArrayBuffer): void
Napi::Value huge_pages(const Napi::CallbackInfo &info);

} // namespace f2i::node
