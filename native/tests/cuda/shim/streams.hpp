// What a test may ask of the shim's device beside CUDA's calls. A test program that opens the library of the
// kernels at run time finds the table by the name f2i_shim_controls.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shim {

/// When work of a stream runs, within what CUDA allows: anything between the moment at which it is enqueued and the
/// moment at which somebody waits for it, after all that its own stream and its events put before it.
enum class Order {
  late,         // what is waited for, and nothing else
  early,        // at once
  kernels_last, // copies and memory at once, kernels when they are waited for
  copies_last,  // the other way round
  random        // anything, by the seed
};

struct Controls {
  /// For what is enqueued from now on. Before, all that is enqueued runs.
  void (*set_order)(Order order, unsigned seed) = nullptr;
  /// The call-th request from now on for memory of the device or pinned memory fails; 0: none.
  void (*fail_allocation)(int call) = nullptr;
  /// The call-th kernel that runs from now on faults; 0: none.
  void (*fail_kernel)(int call) = nullptr;
  /// A fault is forgotten, as by a new process; what was enqueued is dropped.
  void (*revive)() = nullptr;
  /// What ran since the last call, in order: "kernel NAME", "in BYTES", "out BYTES", a line each. Cut to size.
  void (*take_log)(char *text, size_t size) = nullptr;
  /// Requests for memory, and kernels launched outside of graphs and graphs launched, since the process began.
  uint64_t (*allocations)() = nullptr;
  uint64_t (*launches)() = nullptr;
  uint64_t (*graph_launches)() = nullptr;
  /// Waits of the host for work that had not run.
  uint64_t (*waits)() = nullptr;
  /// A stream of the caller's, and whether all that was enqueued on it has run.
  void *(*make_stream)() = nullptr;
  void (*end_stream)(void *stream) = nullptr;
  size_t (*memory_used)() = nullptr;
};

} // namespace shim
