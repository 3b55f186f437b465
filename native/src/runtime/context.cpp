#include "runtime/context.hpp"

#include "runtime/copy.hpp"
#include "runtime/graph.hpp"

#include <utility>

f2i_context::f2i_context(int threads, f2i_isa set, uint64_t memory_limit, std::unique_ptr<f2i::Device> computes)
    : isa(set), device(std::move(computes)), memory(memory_limit, device.get()), pool(threads),
      queue([this] { memory.trim(); }) {
  if (device) completions_.emplace(*device, exhausted);
}

f2i_context::~f2i_context() {
  queue.stop();
  if (completions_) completions_->stop();
  end_graphs();
  while (buffers_ != nullptr) free(*forget(buffers_));
}

f2i_buffer *f2i_context::keep(std::unique_ptr<f2i_buffer> buffer) {
  buffer->context = this;
  buffer->next = buffers_;
  if (buffers_ != nullptr) buffers_->previous = buffer.get();
  buffers_ = buffer.get();
  live_buffers.fetch_add(1, std::memory_order_relaxed);
  return buffer.release();
}

std::unique_ptr<f2i_buffer> f2i_context::forget(f2i_buffer *buffer) {
  if (buffer->previous != nullptr) buffer->previous->next = buffer->next;
  if (buffer->next != nullptr) buffer->next->previous = buffer->previous;
  if (buffers_ == buffer) buffers_ = buffer->next;
  if (!buffer->destroyed) live_buffers.fetch_sub(1, std::memory_order_relaxed);
  return std::unique_ptr<f2i_buffer>(buffer);
}

/// What a graph's work still does is waited for.
void f2i_context::end_graphs() noexcept {
  recording.reset();
  void *moment = nullptr;
  char why[8];
  if (!graphs.empty() && device && device->mark(&moment) == F2I_OK) (void)device->await(moment, why, sizeof why);
  for (const auto &graph : graphs) {
    if (void *const work = graph->take_work()) device->end_graph(work);
  }
  graphs.clear();
}

void f2i_context::enqueue(std::unique_ptr<f2i::OpJob> op) {
  if (recording) recording->record(std::move(op));
  else queue.push(std::move(op));
}

bool f2i_context::allocate(f2i_buffer &buffer) {
  if (buffer.data == nullptr) buffer.data = memory.allocate(buffer.bytes);
  return buffer.data != nullptr;
}

void f2i_context::free(f2i_buffer &buffer) noexcept {
  switch (buffer.kind) {
  case f2i::StorageKind::owned:
    if (device && buffer.data != nullptr) device->retire(buffer.data, buffer.bytes);
    memory.release(buffer.data, buffer.bytes);
    break;
  case f2i::StorageKind::adopted:
    if (const auto release = std::exchange(buffer.release, nullptr)) release(buffer.user);
    break;
  case f2i::StorageKind::mapped: buffer.map = {}; break;
  }
  buffer.data = nullptr;
}

f2i_status f2i_context::copy_in(f2i_buffer &buffer, uint64_t offset, const void *from, uint64_t bytes) noexcept {
  if (device) return device->write(buffer.data, offset, from, bytes, pool);
  f2i::copy(pool, static_cast<char *>(buffer.data) + offset, from, bytes);
  return F2I_OK;
}

f2i_status f2i_context::copy_out(void *to, const f2i_buffer &buffer, uint64_t offset, uint64_t bytes) noexcept {
  if (device) return device->read(to, buffer.data, offset, bytes);
  f2i::copy(pool, to, static_cast<const char *>(buffer.data) + offset, bytes);
  return F2I_OK;
}

void f2i_context::when_done(std::unique_ptr<f2i::Completion> completion) noexcept {
  if (completions_) completions_->post(std::move(completion));
  else completion->conclude(nullptr);
}

void f2i_context::note(const f2i::FailureRef &failure) noexcept {
  const std::lock_guard lock(failure_mutex_);
  if (std::exchange(failed_, true)) return;
  try {
    suspects_.add(failure);
  } catch (...) {
    failed_ = false; // the next one may be remembered
  }
}

void f2i_context::suspect(const f2i::CheckRef &check) {
  constexpr size_t many = 64;
  const std::lock_guard lock(failure_mutex_);
  if (suspects_.size() >= many) suspects_.prune();
  suspects_.add(check);
}

f2i::Suspects f2i_context::take_suspects() {
  const std::lock_guard lock(failure_mutex_);
  failed_ = false;
  return std::exchange(suspects_, {});
}
