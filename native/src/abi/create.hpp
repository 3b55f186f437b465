// How buffers begin and end in the queue, and what may not happen while a graph is recorded.
#pragma once

#include <memory>

#include "abi/guard.hpp"
#include "runtime/context.hpp"

namespace f2i::abi {

/// Allocates an owned buffer's storage when its turn comes.
std::unique_ptr<Job> creation(f2i_context &context, f2i_buffer &buffer);
/// Frees a buffer when its turn comes.
void enqueue_end(f2i_context &context, std::unique_ptr<f2i_buffer> buffer);

inline void require_no_recording(const f2i_context &context, const char *call) {
  if (context.recording) {
    refuse(F2I_INVALID_ARGUMENT, "%s: expected no recording of a graph, found one: f2i_graph_end comes first", call);
  }
}

} // namespace f2i::abi
