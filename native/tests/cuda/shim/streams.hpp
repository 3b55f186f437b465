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
  /// Kernels that wait run, count of them, and what events put before them; then copies, by the order.
  void (*run_kernels)(int count) = nullptr;
  /// Of the requests for memory of the device, pinned memory and graphs from now on, the call-th (1, ...) and `times` in
  /// all fail; 0: none.
  void (*fail_allocations)(int call, int times) = nullptr;
  /// Events cannot be made while it is true.
  void (*fail_events)(bool fail) = nullptr;
  /// The call-th kernel that runs from now on faults; 0: none.
  void (*fail_kernel)(int call) = nullptr;
  /// A fault is forgotten, as by a new process; what was enqueued is dropped.
  void (*revive)() = nullptr;
  /// What ran since the last call, in order: "kernel NAME", "in BYTES", "out BYTES", a line each. Cut to size.
  void (*take_log)(char *text, size_t size) = nullptr;
  /// Requests for memory, and kernels launched outside of graphs and graphs launched, since the process began.
  uint64_t (*allocations)() = nullptr;
  uint64_t (*launches)() = nullptr;
  uint64_t (*kernels_run)() = nullptr;
  uint64_t (*graph_launches)() = nullptr;
  /// Waits of the host for work that had not run.
  uint64_t (*waits)() = nullptr;
  /// A stream of the caller's, and how many kernels were enqueued on it.
  void *(*make_stream)() = nullptr;
  void (*end_stream)(void *stream) = nullptr;
  uint64_t (*kernels_of)(void *stream) = nullptr;
  size_t (*memory_used)() = nullptr;
  /// Whether kernels that hang do, and checks that stop (hopper.cpp).
  void (*hold_hopper)(bool hold) = nullptr;
  /// Whether one of them hangs now: what waits, waits for it.
  bool (*hopper_hangs)() = nullptr;
  /// Of Hopper's barriers (asynchronous.hpp).
  void (*lose_arrival)(int call) = nullptr;
};

} // namespace shim
