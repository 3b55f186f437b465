#include "channel.hpp"

#include <utility>

namespace f2i::node {

Channel *Channel::open(napi_env env) {
  auto channel = std::unique_ptr<Channel>(new Channel);
  napi_value name;
  if (napi_create_string_utf8(env, "fmri2image", NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  const napi_finalize finalize = [](napi_env, void *data, void *) { delete static_cast<Channel *>(data); };
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, channel.get(), finalize,
                                      channel.get(), deliver, &channel->function_) != napi_ok) {
    return nullptr;
  }
  napi_unref_threadsafe_function(env, channel->function_);
  return channel.release();
}

void Channel::post(std::unique_ptr<Completion> completion) {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(completion));
  }
  // One wake-up serves everything that is posted before it is answered.
  if (first) napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
}

std::vector<std::unique_ptr<Completion>> Channel::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(posted_, {});
}

void Channel::deliver(napi_env env, napi_value, void *channel, void *) {
  if (!env) return; // the environment is shutting down: the context's clean-up takes the rest
  for (auto &completion : static_cast<Channel *>(channel)->take()) completion->conclude(env);
}

void Channel::close() {
  // Aborting makes the function finalise itself, which deletes this.
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

} // namespace f2i::node
