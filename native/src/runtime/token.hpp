// Cancellation tokens: a flag that outlives whoever holds it.
#pragma once

#include <atomic>
#include <memory>

namespace f2i {

/// Shared by the caller's handle, the context it is set on and every op that
/// listens to it; so handles, ops and contexts may end in any order.
using CancelFlag = std::shared_ptr<std::atomic<bool>>;

} // namespace f2i

struct f2i_token {
  f2i::CancelFlag flag = std::make_shared<std::atomic<bool>>(false);
};
