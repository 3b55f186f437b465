// Promises that the queue settles: downloads, single tensors, everything.
#include "context.hpp"
#include "errors.hpp"

namespace f2i::node {

namespace {

/// In plain Node-API: it must not throw, and outlives no environment.
class Wait : public Completion {
public:
  Wait(Context *context, Channel *channel, napi_deferred deferred, napi_ref result)
      : context_(context), channel_(channel), deferred_(deferred), result_(result) {}

  /// On the queue thread.
  static void finished(void *self, const f2i_failure *failure) {
    auto *wait = static_cast<Wait *>(self);
    if (failure) wait->failure_ = *failure;
    wait->channel_->post(std::unique_ptr<Completion>(wait));
  }

  void conclude(napi_env env) override {
    context_->wait_ended();
    if (failure_.status != F2I_OK) {
      napi_reject_deferred(env, deferred_, error_of(env, failure_));
    } else {
      napi_value result = nullptr;
      if (result_) napi_get_reference_value(env, result_, &result);
      else napi_get_undefined(env, &result);
      napi_resolve_deferred(env, deferred_, result);
    }
    if (result_) napi_delete_reference(env, result_);
  }

private:
  Context *const context_;
  Channel *const channel_;
  const napi_deferred deferred_;
  const napi_ref result_; // to the array the queue writes to, keeping it alive; null for none
  f2i_failure failure_ = F2I_INIT(f2i_failure);
};

} // namespace

void Context::wait_began() {
  if (waits_++ == 0) {
    Ref();
    channel_->hold(Env());
  }
}

void Context::wait_ended() {
  if (--waits_ == 0) {
    // A closing context stays held until it is closed.
    if (!closing_) channel_->let_go(Env());
    Unref();
  }
}

napi_value Context::settle_by_queue(f2i_buffer *buffer, napi_value result) {
  napi_ref kept = nullptr;
  if (result && napi_create_reference(Env(), result, 1, &kept) != napi_ok) throw Napi::Error::New(Env());
  napi_deferred deferred;
  napi_value promise;
  if (napi_create_promise(Env(), &deferred, &promise) != napi_ok) throw Napi::Error::New(Env());
  auto wait = std::make_unique<Wait>(this, channel_, deferred, kept);
  check(f2i_notify(context_, buffer, Wait::finished, wait.get()));
  wait.release();
  wait_began();
  return promise;
}

/// read(buffer, offset, bytes, array?): Promise<ArrayBuffer>. An array that is given is written to: nobody else may have it.
Napi::Value Context::read(const Napi::CallbackInfo &info) {
  f2i_context *context = open();
  f2i_buffer *from = buffer(info[0]);
  const auto offset = static_cast<uint64_t>(info[1].As<Napi::Number>().DoubleValue());
  const auto bytes = static_cast<size_t>(info[2].As<Napi::Number>().DoubleValue());
  auto array = info[3].IsArrayBuffer() ? info[3].As<Napi::ArrayBuffer>() : Napi::ArrayBuffer::New(Env(), bytes);
  if (array.ByteLength() != bytes) throw Napi::TypeError::New(Env(), "an array of another size");
  if (bytes > 0) check(f2i_buffer_read(context, from, offset, array.Data(), bytes));
  return {Env(), settle_by_queue(from, array)};
}

/// wait(buffer): Promise<void>. Everything enqueued before it has run; rejects
/// if the buffer is poisoned.
Napi::Value Context::wait(const Napi::CallbackInfo &info) {
  open();
  return {Env(), settle_by_queue(buffer(info[0]), nullptr)};
}

/// sync(): Promise<void>. Rejects with the first failure since the last one.
Napi::Value Context::sync(const Napi::CallbackInfo &) {
  open();
  return {Env(), settle_by_queue(nullptr, nullptr)};
}

} // namespace f2i::node
