// Graphs: ops that are recorded once and launched often (f2i.h).
#include "context.hpp"
#include "errors.hpp"

namespace f2i::node {

/// beginGraph(): ops, and buffers that come and go, are recorded from here on.
void Context::begin_graph(const Napi::CallbackInfo &) { check(f2i_graph_begin(open())); }

/// endGraph(): number
Napi::Value Context::end_graph(const Napi::CallbackInfo &) {
  f2i_graph *graph = nullptr;
  check(f2i_graph_end(open(), &graph));
  return Napi::Number::New(Env(), graphs_.add(graph));
}

/// dropGraph(): what was recorded is forgotten.
void Context::drop_graph(const Napi::CallbackInfo &) { check(f2i_graph_end(open(), nullptr)); }

/// launchGraph(graph, token)
void Context::launch_graph(const Napi::CallbackInfo &info) {
  f2i_context *context = open();
  f2i_graph *graph = graphs_.find(info[0].As<Napi::Number>());
  if (!graph) throw error_of(Env(), F2I_INVALID_ARGUMENT, "the graph has been destroyed");
  listen_to(info[1].As<Napi::Number>());
  check(f2i_graph_launch(context, graph));
}

/// destroyGraph(graph): launches that are queued still run.
void Context::destroy_graph(const Napi::CallbackInfo &info) {
  f2i_context *context = open();
  if (f2i_graph *graph = graphs_.remove(info[0].As<Napi::Number>())) check(f2i_graph_destroy(context, graph));
}

} // namespace f2i::node
