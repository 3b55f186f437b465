// Buffers: storage, and copies into and out of it.
#include <cinttypes>
#include <cstring>
#include <utility>

#include "abi/create.hpp"
#include "abi/guard.hpp"
#include "runtime/context.hpp"
#include "runtime/graph.hpp"
#include "runtime/op_exec.hpp"

using namespace f2i;
using abi::guard, abi::refuse, abi::require_context;

namespace {

class Create final : public Job {
public:
  Create(f2i_context &context, f2i_buffer &buffer)
      : context_(context), buffer_(buffer), bytes_(buffer.bytes), tag_(context.tag) {
    context_.unallocated.fetch_add(bytes_);
  }
  ~Create() override { context_.unallocated.fetch_sub(bytes_); }

  void run() noexcept override {
    if (!context_.allocate(buffer_)) {
      try {
        buffer_.poison = std::make_shared<Failure>(
            Failure{F2I_OUT_OF_MEMORY, tag_, "buffer_create", out_of_memory(context_.memory, buffer_.bytes)});
      } catch (...) {
        buffer_.poison = context_.exhausted;
      }
      context_.note(buffer_.poison);
    }
  }

private:
  f2i_context &context_;
  f2i_buffer &buffer_;
  const uint64_t bytes_;
  const uint64_t tag_;
};

class Destroy final : public Job {
public:
  explicit Destroy(f2i_context &context) : context_(context) {}
  ~Destroy() override {
    if (buffer) context_.free(*buffer);
  }
  void run() noexcept override {} // run or dropped, the buffer ends with the job

  std::unique_ptr<f2i_buffer> buffer;

private:
  f2i_context &context_;
};

FailureRef device_failure(const f2i_context &context, f2i_status status, uint64_t tag, const char *call) noexcept {
  try {
    return std::make_shared<Failure>(Failure{status, tag, call, context.device->error()});
  } catch (...) {
    return context.exhausted;
  }
}

/// Fills an owned buffer of a device with memory or a file of the caller's, which is let go after that.
class Fill final : public Job {
public:
  Fill(f2i_context &context, f2i_buffer &buffer, const char *call)
      : context_(context), buffer_(buffer), call_(call), tag_(context.tag) {
    context_.unallocated.fetch_add(buffer.bytes);
  }
  ~Fill() override {
    context_.unallocated.fetch_sub(buffer_bytes_);
    if (release != nullptr) release(user);
  }

  void run() noexcept override {
    if (!context_.allocate(buffer_)) {
      try {
        buffer_.poison = std::make_shared<Failure>(
            Failure{F2I_OUT_OF_MEMORY, tag_, call_, out_of_memory(context_.memory, buffer_.bytes)});
      } catch (...) {
        buffer_.poison = context_.exhausted;
      }
    } else if (const f2i_status status = context_.copy_in(buffer_, 0, data, buffer_.bytes); status != F2I_OK) {
      buffer_.poison = device_failure(context_, status, tag_, call_);
    }
    if (buffer_.poison) context_.note(buffer_.poison);
  }

  const void *data = nullptr;
  f2i_release_fn release = nullptr; // of adopted memory
  void *user = nullptr;
  FileMap map;

private:
  f2i_context &context_;
  f2i_buffer &buffer_;
  const char *const call_;
  const uint64_t tag_, buffer_bytes_ = buffer_.bytes;
};

class Write final : public Job {
public:
  Write(f2i_context &context, f2i_buffer &buffer, uint64_t offset, const void *source, uint64_t bytes)
      : context_(context), buffer_(buffer), offset_(offset), bytes_(bytes), tag_(context.tag),
        staged_(new char[bytes]) {
    std::memcpy(staged_.get(), source, bytes);
  }

  void run() noexcept override {
    // Creation failed: a write of everything gets a second chance.
    const bool whole = bytes_ == buffer_.bytes;
    if (buffer_.data == nullptr && !(whole && context_.allocate(buffer_))) return context_.note(buffer_.poison);
    if (const f2i_status status = context_.copy_in(buffer_, offset_, staged_.get(), bytes_); status != F2I_OK) {
      buffer_.poison = device_failure(context_, status, tag_, "buffer_write");
      return context_.note(buffer_.poison);
    }
    if (whole) buffer_.cleanse();
  }

private:
  f2i_context &context_;
  f2i_buffer &buffer_;
  const uint64_t offset_, bytes_, tag_;
  const std::unique_ptr<char[]> staged_;
};

class Read final : public Job {
public:
  Read(f2i_context &context, f2i_buffer &buffer, uint64_t offset, void *target, uint64_t bytes)
      : context_(context), buffer_(buffer), offset_(offset), bytes_(bytes), tag_(context.tag), target_(target) {}

  void run() noexcept override {
    if (buffer_.known_failure()) return context_.note(buffer_.poison);
    if (const f2i_status status = context_.copy_out(target_, buffer_, offset_, bytes_); status != F2I_OK) {
      buffer_.unread = device_failure(context_, status, tag_, "buffer_read");
      context_.note(buffer_.unread);
    }
  }

private:
  f2i_context &context_;
  f2i_buffer &buffer_;
  const uint64_t offset_, bytes_, tag_;
  void *const target_;
};

void require_out(const char *call, f2i_buffer **out) {
  if (out == nullptr) refuse(F2I_INVALID_ARGUMENT, "%s: out: expected a pointer, found NULL", call);
  *out = nullptr;
}

void require_bytes(const char *call, uint64_t bytes) {
  if (bytes == 0) refuse(F2I_INVALID_ARGUMENT, "%s: bytes: expected at least 1, found 0", call);
}

void require_buffer(const char *call, const f2i_context *context, const f2i_buffer *buffer) {
  if (buffer == nullptr) refuse(F2I_INVALID_ARGUMENT, "%s: buffer: expected a handle, found NULL", call);
  if (buffer->context != context) {
    refuse(F2I_INVALID_ARGUMENT, "%s: buffer: expected one of this context, found another's", call);
  }
}

void require_range(const char *call, const f2i_buffer &buffer, uint64_t offset, uint64_t bytes) {
  if (offset > buffer.bytes || bytes > buffer.bytes - offset) {
    refuse(F2I_INVALID_ARGUMENT,
           "%s: expected a range inside of %" PRIu64 " bytes, found %" PRIu64 " bytes at offset %" PRIu64, call,
           buffer.bytes, bytes, offset);
  }
}

} // namespace

namespace f2i::abi {

std::unique_ptr<Job> creation(f2i_context &context, f2i_buffer &buffer) {
  return std::make_unique<Create>(context, buffer);
}

void enqueue_end(f2i_context &context, std::unique_ptr<f2i_buffer> buffer) {
  auto job = std::make_unique<Destroy>(context);
  job->buffer = std::move(buffer);
  context.queue.push(std::move(job));
}

} // namespace f2i::abi

extern "C" {

f2i_status f2i_buffer_create(f2i_context *context, uint64_t bytes, f2i_buffer **out) {
  return guard([&] {
    require_context(context, "buffer_create");
    require_out("buffer_create", out);
    require_bytes("buffer_create", bytes);
    auto buffer = std::make_unique<f2i_buffer>();
    buffer->bytes = bytes;
    if (context->recording) {
      context->recording->create(*buffer);
      *out = context->keep(std::move(buffer));
      return;
    }
    auto job = abi::creation(*context, *buffer);
    *out = context->keep(std::move(buffer));
    context->queue.push(std::move(job));
  });
}

f2i_status f2i_buffer_adopt(f2i_context *context, void *data, uint64_t bytes, f2i_release_fn release, void *user,
                            f2i_buffer **out) {
  return guard([&] {
    require_context(context, "buffer_adopt");
    require_out("buffer_adopt", out);
    require_bytes("buffer_adopt", bytes);
    if (data == nullptr) refuse(F2I_INVALID_ARGUMENT, "buffer_adopt: data: expected memory, found NULL");
    auto buffer = std::make_unique<f2i_buffer>();
    buffer->bytes = bytes;
    if (context->device) {
      auto job = std::make_unique<Fill>(*context, *buffer, "buffer_adopt");
      job->data = data;
      *out = context->keep(std::move(buffer));
      job->release = release;
      job->user = user;
      context->queue.push(std::move(job));
      return;
    }
    buffer->kind = StorageKind::adopted;
    buffer->data = data;
    buffer->release = release;
    buffer->user = user;
    *out = context->keep(std::move(buffer));
  });
}

f2i_status f2i_buffer_map_file(f2i_context *context, const char *path, uint64_t offset, uint64_t bytes,
                               f2i_buffer **out) {
  return guard([&] {
    require_context(context, "buffer_map_file");
    require_out("buffer_map_file", out);
    require_bytes("buffer_map_file", bytes);
    if (path == nullptr) refuse(F2I_INVALID_ARGUMENT, "buffer_map_file: path: expected a text, found NULL");
    auto buffer = std::make_unique<f2i_buffer>();
    std::string error;
    buffer->map = FileMap::open(path, offset, bytes, error);
    if (!buffer->map) refuse(F2I_IO, "buffer_map_file: %s", error.c_str());
    buffer->bytes = bytes;
    buffer->read_only = true;
    if (context->device) {
      auto job = std::make_unique<Fill>(*context, *buffer, "buffer_map_file");
      job->map = std::move(buffer->map);
      job->data = job->map.data();
      *out = context->keep(std::move(buffer));
      context->queue.push(std::move(job));
      return;
    }
    buffer->kind = StorageKind::mapped;
    buffer->data = buffer->map.data();
    *out = context->keep(std::move(buffer));
  });
}

f2i_status f2i_buffer_destroy(f2i_context *context, f2i_buffer *buffer) {
  return guard([&] {
    require_context(context, "buffer_destroy");
    if (buffer == nullptr) return;
    require_buffer("buffer_destroy", context, buffer);
    if (context->recording && context->recording->created(*buffer)) {
      context->recording->destroy(context->forget(buffer));
    } else if (buffer->holders > 0) {
      buffer->destroyed = true;
      context->live_buffers.fetch_sub(1, std::memory_order_relaxed);
    } else {
      abi::enqueue_end(*context, context->forget(buffer));
    }
  });
}

f2i_status f2i_buffer_write(f2i_context *context, f2i_buffer *buffer, uint64_t offset, const void *source,
                            uint64_t bytes) {
  return guard([&] {
    require_context(context, "buffer_write");
    require_buffer("buffer_write", context, buffer);
    abi::require_no_recording(*context, "buffer_write");
    require_range("buffer_write", *buffer, offset, bytes);
    if (buffer->read_only) {
      refuse(F2I_INVALID_ARGUMENT, "buffer_write: buffer: expected one that can be written, found a mapped file");
    }
    if (bytes == 0) return;
    if (source == nullptr) refuse(F2I_INVALID_ARGUMENT, "buffer_write: src: expected memory, found NULL");
    if (!context->device && context->queue.empty() && buffer->data != nullptr) {
      // Nothing is queued or running: the storage is this thread's for now.
      std::memcpy(static_cast<char *>(buffer->data) + offset, source, bytes);
      if (bytes == buffer->bytes) buffer->poison = nullptr;
      return;
    }
    context->queue.push(std::make_unique<Write>(*context, *buffer, offset, source, bytes));
  });
}

f2i_status f2i_buffer_read(f2i_context *context, f2i_buffer *buffer, uint64_t offset, void *target, uint64_t bytes) {
  return guard([&] {
    require_context(context, "buffer_read");
    require_buffer("buffer_read", context, buffer);
    abi::require_no_recording(*context, "buffer_read");
    require_range("buffer_read", *buffer, offset, bytes);
    if (bytes == 0) return;
    if (target == nullptr) refuse(F2I_INVALID_ARGUMENT, "buffer_read: dst: expected memory, found NULL");
    context->queue.push(std::make_unique<Read>(*context, *buffer, offset, target, bytes));
  });
}

} // extern "C"
