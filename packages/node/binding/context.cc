#include "context.hpp"

#include "errors.hpp"

namespace f2i::node {

Napi::Function Context::define(Napi::Env env) {
  std::vector<PropertyDescriptor> methods = {
      InstanceMethod<&Context::info>("info"),
      InstanceMethod<&Context::supports>("supports"),
      InstanceMethod<&Context::remark>("remark"),
      InstanceMethod<&Context::close>("close"),
      InstanceMethod<&Context::create_token>("createToken"),
      InstanceMethod<&Context::cancel_token>("cancelToken"),
      InstanceMethod<&Context::destroy_token>("destroyToken"),
      InstanceMethod<&Context::create_buffer>("createBuffer"),
      InstanceMethod<&Context::adopt>("adopt"),
      InstanceMethod<&Context::map_file>("mapFile"),
      InstanceMethod<&Context::write>("write"),
      InstanceMethod<&Context::destroy_buffer>("destroyBuffer"),
      InstanceMethod<&Context::begin_graph>("beginGraph"),
      InstanceMethod<&Context::end_graph>("endGraph"),
      InstanceMethod<&Context::drop_graph>("dropGraph"),
      InstanceMethod<&Context::launch_graph>("launchGraph"),
      InstanceMethod<&Context::destroy_graph>("destroyGraph"),
      InstanceMethod<&Context::read>("read"),
      InstanceMethod<&Context::wait>("wait"),
      InstanceMethod<&Context::sync>("sync"),
  };
  const std::vector<PropertyDescriptor> of_ops = ops();
  methods.insert(methods.end(), of_ops.begin(), of_ops.end());
  return DefineClass(env, "Context", methods);
}

Context::Context(const Napi::CallbackInfo &info) : ObjectWrap(info) {
  const auto scratch = info[0].As<Napi::Float64Array>();
  if (scratch.ElementLength() < Arguments::kLength) {
    throw error_of(Env(), F2I_ABI_MISMATCH, "the array of arguments is too short");
  }
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = info[1].As<Napi::Number>().Int32Value();
  desc.isa = info[2].As<Napi::Number>().Int32Value();
  desc.memory_limit = static_cast<uint64_t>(info[3].As<Napi::Number>().Int64Value());
  const auto number = [&](size_t i) { return info[i].IsNumber() ? info[i].As<Napi::Number>().Int32Value() : 0; };
  desc.device = number(4);
  desc.device_index = number(5);
  const std::string library = info[6].IsString() ? info[6].As<Napi::String>().Utf8Value() : "";
  desc.library = library.empty() ? nullptr : library.c_str();
  desc.precision = number(7);
  check(f2i_context_create(&desc, &context_));

  channel_ = Channel::open(Env());
  if (!channel_) {
    f2i_context_destroy(std::exchange(context_, nullptr));
    throw Napi::Error::New(Env());
  }
  // After the channel: hooks run in reverse order, so the core stops posting
  // before the channel goes.
  napi_add_env_cleanup_hook(Env(), on_environment_exit, this);
  arguments_owner_ = Napi::Persistent(scratch);
  arguments_ = scratch.Data();
}

Context::~Context() {
  if (!channel_) return;
  napi_remove_env_cleanup_hook(Env(), on_environment_exit, this);
  shut_down();
}

void Context::shut_down() {
  closing_ = true;
  if (closer_.joinable()) closer_.join();
  f2i_context_destroy(std::exchange(context_, nullptr));
  if (Channel *channel = std::exchange(channel_, nullptr)) {
    channel->take(); // promises that no one can await any more
    channel->close();
  }
}

f2i_context *Context::open() {
  if (closing_) throw error_of(Env(), F2I_INVALID_ARGUMENT, "the context is closed");
  return context_;
}

void Context::check(f2i_status status) {
  if (status != F2I_OK) throw error_of(Env(), status, f2i_last_error(context_));
}

Napi::Value Context::info(const Napi::CallbackInfo &) {
  f2i_context_info state = F2I_INIT(f2i_context_info);
  check(f2i_context_get_info(open(), &state));
  Napi::Object object = Napi::Object::New(Env());
  const auto set = [&](const char *name, auto value) { object.Set(name, static_cast<double>(value)); };
  set("threads", state.threads);
  set("isa", state.isa);
  set("memoryLimit", state.memory_limit);
  set("liveBytes", state.live_bytes);
  set("peakBytes", state.peak_bytes);
  set("liveBuffers", state.live_buffers);
  set("queuedOps", state.queued_ops);
  return object;
}

/// supports(op): boolean
Napi::Value Context::supports(const Napi::CallbackInfo &info) {
  const std::string op = info[0].As<Napi::String>();
  const f2i_status status = f2i_context_supports(open(), op.c_str());
  if (status != F2I_UNSUPPORTED) check(status);
  return Napi::Boolean::New(Env(), status == F2I_OK);
}

/// remark(): string
Napi::Value Context::remark(const Napi::CallbackInfo &) {
  char text[512] = "";
  check(f2i_context_remark(open(), text, sizeof text));
  return Napi::String::New(Env(), text);
}

/// The last completion of a context: its threads are gone.
class Closing : public Completion {
public:
  Closing(Context *context, napi_deferred deferred) : context_(context), deferred_(deferred) {}

  void conclude(napi_env env) override {
    context_->closer_.join();
    std::exchange(context_->channel_, nullptr)->close();
    napi_remove_env_cleanup_hook(env, Context::on_environment_exit, context_);
    context_->Unref();
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    napi_resolve_deferred(env, deferred_, undefined);
  }

private:
  Context *const context_;
  const napi_deferred deferred_;
};

Napi::Value Context::close(const Napi::CallbackInfo &) {
  f2i_context *context = open();
  napi_deferred deferred;
  napi_value promise;
  if (napi_create_promise(Env(), &deferred, &promise) != napi_ok) throw Napi::Error::New(Env());
  auto closing = std::make_unique<Closing>(this, deferred);
  // Ending waits for the tile that is running, hence a thread of its own. What
  // it cancels is posted before the closing.
  closer_ = std::thread([context, channel = channel_, closing = std::move(closing)]() mutable {
    f2i_context_destroy(context);
    channel->post(std::move(closing));
  });
  closing_ = true;
  context_ = nullptr;
  Ref();
  channel_->hold(Env());
  return {Env(), promise};
}

Napi::Value Context::create_token(const Napi::CallbackInfo &) {
  f2i_token *token = nullptr;
  check(f2i_token_create(open(), &token));
  return Napi::Number::New(Env(), tokens_.add(token));
}

void Context::cancel_token(const Napi::CallbackInfo &info) {
  open();
  if (f2i_token *token = tokens_.find(info[0].As<Napi::Number>())) check(f2i_token_cancel(token));
}

void Context::listen_to(double token) {
  if (token == token_) return;
  check(f2i_context_set_token(context_, tokens_.find(token)));
  token_ = token;
}

void Context::destroy_token(const Napi::CallbackInfo &info) {
  open();
  const double handle = info[0].As<Napi::Number>();
  f2i_token *token = tokens_.remove(handle);
  if (!token) return;
  if (handle == token_) {
    check(f2i_context_set_token(context_, nullptr));
    token_ = 0;
  }
  check(f2i_token_destroy(token));
}

} // namespace f2i::node
