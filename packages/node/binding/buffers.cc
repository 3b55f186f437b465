// Memory: storage of the core, arrays of JavaScript that it uses in place, and
// ranges of files.
#include "context.hpp"
#include "errors.hpp"

namespace f2i::node {

namespace {

/// Holds an adopted ArrayBuffer until the queue no longer uses it, and gives a lent one back.
class Adoption : public Completion {
public:
  Adoption(Channel *channel, Napi::ArrayBuffer array, Napi::Function give_back)
      : channel_(channel), array_(Napi::Persistent(array)) {
    if (!give_back.IsEmpty()) give_back_ = Napi::Persistent(give_back);
  }

  /// On the queue thread: the reference may only be dropped on JavaScript's.
  static void release(void *self) {
    auto *adoption = static_cast<Adoption *>(self);
    adoption->channel_->post(std::unique_ptr<Completion>(adoption));
  }
  void conclude(napi_env env) override {
    if (give_back_.IsEmpty()) return;
    const napi_value array = array_.Value();
    napi_value undefined;
    napi_get_undefined(env, &undefined);
    napi_call_function(env, undefined, give_back_.Value(), 1, &array, nullptr);
  }

private:
  Channel *const channel_;
  const Napi::Reference<Napi::ArrayBuffer> array_;
  Napi::FunctionReference give_back_;
};

uint64_t bytes_of(const Napi::Value &number) {
  return static_cast<uint64_t>(number.As<Napi::Number>().DoubleValue());
}

} // namespace

f2i_buffer *Context::buffer(const Napi::Value &handle) {
  if (f2i_buffer *found = buffers_.find(handle.As<Napi::Number>())) return found;
  throw error_of(Env(), F2I_INVALID_ARGUMENT, "the buffer has been freed");
}

/// createBuffer(bytes, tag): number
Napi::Value Context::create_buffer(const Napi::CallbackInfo &info) {
  f2i_buffer *created = nullptr;
  check(f2i_context_set_tag(open(), bytes_of(info[1])));
  check(f2i_buffer_create(context_, bytes_of(info[0]), &created));
  return Napi::Number::New(Env(), buffers_.add(created));
}

/// adopt(array: ArrayBuffer, bytes, tag, giveBack?: (array) => void): number. The buffer is the first `bytes` of the array,
/// which the caller must not touch again, or not before it is given back: when the buffer was destroyed and what used it
/// has run.
Napi::Value Context::adopt(const Napi::CallbackInfo &info) {
  f2i_context *context = open();
  auto array = info[0].As<Napi::ArrayBuffer>();
  const uint64_t bytes = bytes_of(info[1]);
  if (bytes > array.ByteLength()) throw Napi::RangeError::New(Env(), "the array is shorter than the buffer");
  const auto give_back = info[3].IsFunction() ? info[3].As<Napi::Function>() : Napi::Function();
  auto adoption = std::make_unique<Adoption>(channel_, array, give_back);
  f2i_buffer *created = nullptr;
  check(f2i_context_set_tag(context, bytes_of(info[2])));
  check(f2i_buffer_adopt(context, array.Data(), bytes, Adoption::release, adoption.get(), &created));
  adoption.release();
  return Napi::Number::New(Env(), buffers_.add(created));
}

/// mapFile(path, offset, bytes, tag): number
Napi::Value Context::map_file(const Napi::CallbackInfo &info) {
  const std::string path = info[0].As<Napi::String>();
  f2i_buffer *created = nullptr;
  f2i_context *context = open();
  check(f2i_context_set_tag(context, bytes_of(info[3])));
  check(f2i_buffer_map_file(context, path.c_str(), bytes_of(info[1]), bytes_of(info[2]), &created));
  return Napi::Number::New(Env(), buffers_.add(created));
}

/// write(buffer, offset, array, tag)
void Context::write(const Napi::CallbackInfo &info) {
  f2i_context *context = open();
  const auto array = info[2].As<Napi::TypedArray>();
  const auto *source = static_cast<const uint8_t *>(array.ArrayBuffer().Data()) + array.ByteOffset();
  check(f2i_context_set_tag(context, bytes_of(info[3])));
  check(f2i_buffer_write(context, buffer(info[0]), bytes_of(info[1]), source, array.ByteLength()));
}

void Context::destroy_buffer(const Napi::CallbackInfo &info) {
  f2i_context *context = open();
  f2i_buffer *found = buffer(info[0]);
  buffers_.remove(info[0].As<Napi::Number>());
  check(f2i_buffer_destroy(context, found));
}

} // namespace f2i::node
