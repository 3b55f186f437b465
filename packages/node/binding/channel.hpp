// From the core's queue thread to the JavaScript thread: completions are posted
// on the one and concluded on the other, in the order of the queue.
#pragma once

#include <node_api.h>

#include <memory>
#include <mutex>
#include <vector>

namespace f2i::node {

/// Something the queue thread finished and the JavaScript thread must conclude.
class Completion {
public:
  virtual ~Completion() = default;
  /// On the JavaScript thread, inside a handle scope. Does not throw.
  virtual void conclude(napi_env env) = 0;
};

/// Belongs to a thread-safe function, which deletes it last of all; so whatever
/// still arrives while an environment shuts down finds it alive.
class Channel {
public:
  /// Null with a pending exception when the environment cannot make one.
  static Channel *open(napi_env env);

  /// From any thread; never blocks.
  void post(std::unique_ptr<Completion> completion);
  /// Keeps the event loop alive while something is awaited.
  void hold(napi_env env) { napi_ref_threadsafe_function(env, function_); }
  void let_go(napi_env env) { napi_unref_threadsafe_function(env, function_); }
  /// Takes what has been posted and not yet been concluded.
  std::vector<std::unique_ptr<Completion>> take();
  /// Nothing may be posted after it. The channel deletes itself later.
  void close();

private:
  Channel() = default;
  static void deliver(napi_env env, napi_value, void *channel, void *);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Completion>> posted_;
  napi_threadsafe_function function_ = nullptr;
};

} // namespace f2i::node
