// A context: threads, memory, the queue, and what went wrong first.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "f2i/f2i.h"
#include "runtime/buffer.hpp"
#include "runtime/completions.hpp"
#include "runtime/device.hpp"
#include "runtime/failure.hpp"
#include "runtime/memory.hpp"
#include "runtime/pool.hpp"
#include "runtime/queue.hpp"
#include "runtime/token.hpp"

namespace f2i {
class OpJob;
}

struct f2i_context {
  f2i_context(int threads, f2i_isa set, uint64_t memory_limit, std::unique_ptr<f2i::Device> computes = nullptr);
  ~f2i_context();

  const f2i_isa isa;
  f2i_precision precision = F2I_PRECISION_F32; // set before the first op
  const std::unique_ptr<f2i::Device> device; // null: the processor
  f2i::Memory memory;
  f2i::ThreadPool pool;

  // ---- the calling thread's side
  uint64_t tag = 0;
  f2i::CancelFlag token;
  std::atomic<uint64_t> live_buffers{0};
  std::unique_ptr<f2i_graph> recording; // null: ops are enqueued
  std::vector<std::unique_ptr<f2i_graph>> graphs;
  /// Queues an op, or records it.
  void enqueue(std::unique_ptr<f2i::OpJob> op);

  /// Registers a handle; the context owns it until forget() or its own end.
  f2i_buffer *keep(std::unique_ptr<f2i_buffer> buffer);
  /// A buffer that was marked as destroyed does not count as a handle any more.
  std::unique_ptr<f2i_buffer> forget(f2i_buffer *buffer);

  // ---- the queue's side
  std::atomic<uint64_t> unallocated{0}; // bytes of buffers whose creation is still queued

  /// Storage for an owned buffer that has none; false when there is no room.
  bool allocate(f2i_buffer &buffer);
  /// Copies between the caller's memory and a buffer, on the queue thread. From a device, the bytes are there when what
  /// is posted later has been concluded.
  f2i_status copy_in(f2i_buffer &buffer, uint64_t offset, const void *from, uint64_t bytes) noexcept;
  f2i_status copy_out(void *to, const f2i_buffer &buffer, uint64_t offset, uint64_t bytes) noexcept;
  /// Concludes it when all that is enqueued has run: now, on the processor.
  void when_done(std::unique_ptr<f2i::Completion> completion) noexcept;
  /// Frees or releases the storage of a buffer, once.
  void free(f2i_buffer &buffer) noexcept;

  /// Remembers what failed, and what may have, until somebody takes it.
  void note(const f2i::FailureRef &failure) noexcept;
  void suspect(const f2i::CheckRef &check);
  f2i::Suspects take_suspects();
  /// For when there is no memory left to say what failed.
  const f2i::FailureRef exhausted =
      std::make_shared<f2i::Failure>(f2i::Failure{F2I_OUT_OF_MEMORY, 0, "context", "out of memory"});

private:
  void end_graphs() noexcept;

  f2i_buffer *buffers_ = nullptr;
  std::mutex failure_mutex_;
  f2i::Suspects suspects_; // checks, and the first certain failure behind them
  bool failed_ = false;
  std::optional<f2i::Completions> completions_;

public:
  f2i::Queue queue; // last: its thread ends before anything that it uses
};
