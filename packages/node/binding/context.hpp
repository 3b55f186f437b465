// A context of the core as a JavaScript object. Its methods check, enqueue and
// return; those that wait return promises, which the queue thread's
// notifications settle. One context belongs to one environment (the main thread
// or a worker); there is no state outside it.
#pragma once

#include <napi.h>

#include <memory>
#include <thread>
#include <vector>

#include "arguments.hpp"
#include "channel.hpp"
#include "f2i/f2i.h"
#include "handles.hpp"

namespace f2i::node {

class Context : public Napi::ObjectWrap<Context> {
public:
  static Napi::Function define(Napi::Env env);

  /// new Context(arguments: Float64Array, threads, isa, memoryLimit, device?, index?, library?, precision?)
  explicit Context(const Napi::CallbackInfo &info);
  /// A backstop: close() is the way to end a context.
  ~Context() override;

  // ---- context.cc ----------------------------------------------------------
  Napi::Value info(const Napi::CallbackInfo &info);
  Napi::Value supports(const Napi::CallbackInfo &info);
  Napi::Value remark(const Napi::CallbackInfo &info);
  Napi::Value close(const Napi::CallbackInfo &info);
  Napi::Value create_token(const Napi::CallbackInfo &info);
  void cancel_token(const Napi::CallbackInfo &info);
  void destroy_token(const Napi::CallbackInfo &info);

  // ---- buffers.cc ----------------------------------------------------------
  Napi::Value create_buffer(const Napi::CallbackInfo &info);
  Napi::Value adopt(const Napi::CallbackInfo &info);
  Napi::Value map_file(const Napi::CallbackInfo &info);
  void write(const Napi::CallbackInfo &info);
  void destroy_buffer(const Napi::CallbackInfo &info);

  // ---- graphs.cc -----------------------------------------------------------
  void begin_graph(const Napi::CallbackInfo &info);
  Napi::Value end_graph(const Napi::CallbackInfo &info);
  void drop_graph(const Napi::CallbackInfo &info);
  void launch_graph(const Napi::CallbackInfo &info);
  void destroy_graph(const Napi::CallbackInfo &info);

  // ---- waits.cc ------------------------------------------------------------
  Napi::Value read(const Napi::CallbackInfo &info);
  Napi::Value wait(const Napi::CallbackInfo &info);
  Napi::Value sync(const Napi::CallbackInfo &info);
  /// Concluded waits let the event loop and the garbage collector go.
  void wait_began();
  void wait_ended();

  // ---- ops.cc --------------------------------------------------------------
  /// A method for each op.
  static std::vector<PropertyDescriptor> ops();
  /// Calls an op of the core with what `Arguments` holds.
  template <auto op> void enqueue(const Napi::CallbackInfo &info);

private:
  friend class Closing;

  /// The core's context; throws once it is closed or closing.
  f2i_context *open();
  /// Throws unless the status is F2I_OK.
  void check(f2i_status status);
  /// Throws when the handle is stale.
  f2i_buffer *buffer(const Napi::Value &handle);
  /// What is enqueued from now on listens to the token of this handle; 0 for none.
  void listen_to(double token);
  /// A promise of `result` (undefined when null), settled when the queue comes to
  /// this point: rejected by what poisoned the buffer or, when null, by the first
  /// failure since the last report.
  napi_value settle_by_queue(f2i_buffer *buffer, napi_value result);

  /// Ends the core's context at once; waits for the tile that is running.
  void shut_down();
  static void on_environment_exit(void *self) { static_cast<Context *>(self)->shut_down(); }

  f2i_context *context_ = nullptr;
  Channel *channel_ = nullptr;
  std::thread closer_;
  bool closing_ = false;
  int waits_ = 0;
  double token_ = 0; // the token that ops listen to now
  Handles<f2i_buffer> buffers_;
  Handles<f2i_token> tokens_;
  Handles<f2i_graph> graphs_;
  Napi::Reference<Napi::Float64Array> arguments_owner_;
  const double *arguments_ = nullptr;
};

} // namespace f2i::node
