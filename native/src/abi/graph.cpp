// Graphs: ops that are recorded once and enqueued again and again.
#include <algorithm>

#include "abi/create.hpp"
#include "abi/guard.hpp"
#include "runtime/context.hpp"
#include "runtime/graph.hpp"

using namespace f2i;
using abi::guard, abi::refuse, abi::require_context;

namespace {

class Prepare final : public Job {
public:
  explicit Prepare(f2i_graph &graph) : graph_(graph) {}
  void run() noexcept override { graph_.prepare(); }

private:
  f2i_graph &graph_;
};

class Launch final : public Job {
public:
  Launch(f2i_graph &graph, CancelFlag token) : graph_(graph), token_(std::move(token)) {}
  void run() noexcept override { graph_.run(token_); }

private:
  f2i_graph &graph_;
  const CancelFlag token_;
};

/// Ends a device's piece of work when it does not run any more.
class EndWork final : public Completion {
public:
  explicit EndWork(f2i_context &context) : context_(context) {}
  void conclude(const FailureRef &) noexcept override { context_.device->end_graph(work); }
  void *work = nullptr;

private:
  f2i_context &context_;
};

class End final : public Job {
public:
  explicit End(std::unique_ptr<f2i_graph> graph)
      : context_(graph->context), graph_(std::move(graph)), end_(std::make_unique<EndWork>(context_)) {}
  ~End() override {
    if ((end_->work = graph_->take_work()) != nullptr) context_.when_done(std::move(end_));
  }
  void run() noexcept override {} // run or dropped, the graph ends with the job

private:
  f2i_context &context_;
  std::unique_ptr<f2i_graph> graph_;
  std::unique_ptr<EndWork> end_;
};

void require_graph(const char *call, const f2i_context *context, const f2i_graph *graph) {
  if (graph == nullptr) refuse(F2I_INVALID_ARGUMENT, "%s: graph: expected a handle, found NULL", call);
  if (&graph->context != context) {
    refuse(F2I_INVALID_ARGUMENT, "%s: graph: expected one of this context, found another's", call);
  }
}

/// Enqueues a graph's end; buffers that only it has kept go with it.
void end(std::unique_ptr<f2i_graph> graph) {
  f2i_context &context = graph->context;
  const std::vector<f2i_buffer *> held = graph->held();
  context.queue.push(std::make_unique<End>(std::move(graph)));
  for (f2i_buffer *const buffer : held) {
    if (--buffer->holders == 0 && buffer->destroyed) abi::enqueue_end(context, context.forget(buffer));
  }
}

} // namespace

extern "C" {

f2i_status f2i_graph_begin(f2i_context *context) {
  return guard([&] {
    require_context(context, "graph_begin");
    abi::require_no_recording(*context, "graph_begin");
    context->recording = std::make_unique<f2i_graph>(*context);
  });
}

f2i_status f2i_graph_end(f2i_context *context, f2i_graph **out) {
  return guard([&] {
    require_context(context, "graph_end");
    if (out != nullptr) *out = nullptr;
    if (!context->recording) {
      refuse(F2I_INVALID_ARGUMENT, "graph_end: expected a recording, found none: f2i_graph_begin begins one");
    }
    std::unique_ptr<f2i_graph> graph = std::move(context->recording);
    // They outlive the recording: buffers like others, which the graph holds as it does others.
    for (f2i_buffer *const buffer : graph->survivors()) {
      context->queue.push(abi::creation(*context, *buffer));
      graph->hand_over(*buffer);
    }
    if (out == nullptr) return end(std::move(graph));
    auto prepare = std::make_unique<Prepare>(*graph);
    context->graphs.reserve(context->graphs.size() + 1);
    *out = graph.get();
    context->graphs.push_back(std::move(graph));
    context->queue.push(std::move(prepare));
  });
}

f2i_status f2i_graph_launch(f2i_context *context, f2i_graph *graph) {
  return guard([&] {
    require_context(context, "graph_launch");
    require_graph("graph_launch", context, graph);
    abi::require_no_recording(*context, "graph_launch");
    context->queue.push(std::make_unique<Launch>(*graph, context->token));
  });
}

f2i_status f2i_graph_destroy(f2i_context *context, f2i_graph *graph) {
  return guard([&] {
    require_context(context, "graph_destroy");
    if (graph == nullptr) return;
    require_graph("graph_destroy", context, graph);
    const auto at = std::find_if(context->graphs.begin(), context->graphs.end(),
                                 [&](const auto &owned) { return owned.get() == graph; });
    if (at == context->graphs.end()) return;
    std::unique_ptr<f2i_graph> owned = std::move(*at);
    context->graphs.erase(at);
    end(std::move(owned));
  });
}

} // extern "C"
