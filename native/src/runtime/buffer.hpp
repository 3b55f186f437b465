// A buffer: storage, and the failure that makes its contents meaningless.
#pragma once

#include <cstdint>

#include "f2i/f2i.h"
#include "runtime/check.hpp"
#include "runtime/failure.hpp"
#include "runtime/file_map.hpp"

namespace f2i {

enum class StorageKind { owned, adopted, mapped };

} // namespace f2i

struct f2i_buffer {
  f2i_context *context = nullptr;
  f2i::StorageKind kind = f2i::StorageKind::owned;
  uint64_t bytes = 0;
  bool read_only = false; // a file's

  // Owned storage comes and goes on the queue thread, which alone looks at it;
  // that of the other kinds is there from the beginning.
  void *data = nullptr;
  // Set by a failed op that was to write here, cleared by an op that writes the
  // whole buffer. Queue thread only.
  f2i::FailureRef poison;
  // What may yet turn out to have failed, of ops on a device that this was computed by. Queue thread only.
  std::vector<f2i::CheckRef> checks;

  /// What makes it meaningless, as far as it is known: poison, or a check that has failed. Queue thread only.
  const f2i::FailureRef &known_failure() {
    if (!poison && !checks.empty()) {
      std::erase_if(checks, [this](const f2i::CheckRef &check) {
        if (!check->concluded()) return false;
        if (!poison) poison = check->conclude();
        return true;
      });
    }
    return poison;
  }
  /// Written anew as a whole.
  void cleanse() {
    poison = nullptr;
    checks.clear();
  }

  f2i_release_fn release = nullptr; // adopted
  void *user = nullptr;
  f2i::FileMap map; // mapped

  // Graphs that use it, and the recording that it was created in. A buffer that is destroyed while a graph holds it
  // stays until the graph is destroyed. Calling thread only.
  int holders = 0;
  bool destroyed = false;
  const f2i_graph *recording = nullptr;

  // The context's list of live handles. Calling thread only.
  f2i_buffer *previous = nullptr, *next = nullptr;

  // A read of it that failed, until a report of the buffer tells it: the contents are what they were. Queue thread only.
  f2i::FailureRef unread;
};
