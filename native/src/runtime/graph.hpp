// Ops that are recorded once and enqueued again and again.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "runtime/graph_memory.hpp"
#include "runtime/op_job.hpp"

struct f2i_graph {
  f2i_graph(const f2i_graph &) = delete;
  f2i_graph &operator=(const f2i_graph &) = delete;
  explicit f2i_graph(f2i_context &owner) : context(owner), memory_(owner.memory) {}
  ~f2i_graph();

  f2i_context &context;

  // ---- the calling thread's side, while it is recorded

  void record(std::unique_ptr<f2i::OpJob> op);
  /// A buffer that was created since the recording began: it has no storage yet.
  void create(f2i_buffer &buffer);
  bool created(const f2i_buffer &buffer) const;
  /// Destroyed before the recording has ended: its storage is the graph's, and other buffers' afterwards.
  void destroy(std::unique_ptr<f2i_buffer> buffer);
  /// Those that were created and not destroyed. Each is handed over when it gets storage like others.
  std::vector<f2i_buffer *> survivors() const { return created_; }
  void hand_over(f2i_buffer &buffer);
  /// Buffers that its ops use, and that are not its own; each is held once.
  const std::vector<f2i_buffer *> &held() const { return held_; }

  // ---- the queue thread's side

  /// Gives its buffers storage and, on a device, makes one piece of work of the ops where it can.
  void prepare() noexcept;
  /// Runs all ops in their order; token: cancels them.
  void run(const f2i::CancelFlag &token) noexcept;
  /// On a device: the piece of work, once, for whoever ends it when it does not run any more.
  void *take_work() { return std::exchange(work_, nullptr); }

private:
  struct Step {
    std::unique_ptr<f2i::OpJob> op;
    f2i_buffer *begins = nullptr, *ends = nullptr; // where its storage does
  };
  struct Use {
    f2i_buffer *buffer;
    bool writes;
  };
  bool place();
  void allocate(f2i_buffer &buffer);
  void add_uses();
  bool clean() const;
  f2i_status launch() noexcept;

  std::vector<Step> steps_;
  std::vector<f2i_buffer *> created_, held_;
  std::vector<std::unique_ptr<f2i_buffer>> own_;
  f2i::GraphMemory memory_;
  bool placed_ = false;   // its buffers have memory of the graph's; else they come and go at each launch
  std::vector<Use> uses_; // each buffer once
  void *work_ = nullptr;
};
