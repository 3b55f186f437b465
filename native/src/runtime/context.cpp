#include "runtime/context.hpp"

#include "runtime/copy.hpp"

#include <utility>

f2i_context::~f2i_context() {
  queue.stop();
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
  live_buffers.fetch_sub(1, std::memory_order_relaxed);
  return std::unique_ptr<f2i_buffer>(buffer);
}

bool f2i_context::allocate(f2i_buffer &buffer) {
  if (buffer.data == nullptr) buffer.data = memory.allocate(buffer.bytes);
  return buffer.data != nullptr;
}

void f2i_context::free(f2i_buffer &buffer) noexcept {
  switch (buffer.kind) {
  case f2i::StorageKind::owned: memory.release(buffer.data, buffer.bytes); break;
  case f2i::StorageKind::adopted:
    if (const auto release = std::exchange(buffer.release, nullptr)) release(buffer.user);
    break;
  case f2i::StorageKind::mapped: buffer.map = {}; break;
  }
  buffer.data = nullptr;
}

f2i_status f2i_context::copy_in(f2i_buffer &buffer, uint64_t offset, const void *from, uint64_t bytes) noexcept {
  char *const to = static_cast<char *>(buffer.data) + offset;
  if (device) return device->write(to, from, bytes);
  f2i::copy(pool, to, from, bytes);
  return F2I_OK;
}

f2i_status f2i_context::copy_out(void *to, const f2i_buffer &buffer, uint64_t offset, uint64_t bytes) noexcept {
  const char *const from = static_cast<const char *>(buffer.data) + offset;
  if (device) return device->read(to, from, bytes);
  f2i::copy(pool, to, from, bytes);
  return F2I_OK;
}

void f2i_context::wait_for_device() noexcept {
  if (!device) return;
  const f2i_status status = device->wait();
  if (status == F2I_OK) return;
  try {
    note(std::make_shared<f2i::Failure>(f2i::Failure{status, 0, "device", device->error()}));
  } catch (...) {
    note(exhausted);
  }
}

void f2i_context::note(const f2i::FailureRef &failure) {
  const std::lock_guard lock(failure_mutex_);
  if (!first_failure_) first_failure_ = failure;
}

f2i::FailureRef f2i_context::take_failure() {
  const std::lock_guard lock(failure_mutex_);
  return std::exchange(first_failure_, nullptr);
}
