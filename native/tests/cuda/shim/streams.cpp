// Streams, events, graphs and memory in their order: queues of work that runs
// as late, as early or as oddly as CUDA allows (shim::Order), so that an event
// that is missing shows as a wrong result. F2I_SHIM_ORDER (late, early,
// kernels_last, copies_last, or a number: random by this seed) chooses;
// F2I_SHIM_FAULT names a kernel that faults.
//
// What it sees that a GPU would not say: work on memory that is freed in the
// order of its stream (it becomes NaN, and stays unused for a while), a second
// free, waits of the host.
#include "streams.hpp"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "asynchronous.hpp"
#include "hopper.hpp"

using shim::Order;

namespace {

/// A place in a stream's work: an event's record.
struct Point {
  ShimStream *stream = nullptr;
  bool reached = false;
};

struct Work {
  std::function<int(ShimStream &on)> run;
  std::shared_ptr<Point> until, reaches; // waits for one; is one
  bool kernel = false;
};

} // namespace

struct ShimGraph {
  std::vector<Work> work;
};
struct ShimGraphExec {
  std::vector<Work> work;
};
struct ShimStream {
  std::deque<Work> work;
  void *machine = nullptr; // fibres, from its first kernel on
  uint64_t kernels = 0;
  int device = 0;
  ShimGraph *capture = nullptr;
};
struct ShimEvent {
  int device = shim::current_device;
  std::shared_ptr<Point> last;
};
struct ShimPool {};

namespace {

class Device {
public:
  using Lock = std::unique_lock<std::recursive_mutex>;
  Lock lock() { return Lock(mutex_); }
  /// For calls that never wait: not locked where somebody runs what hangs.
  Lock lock_unless_held() {
    for (;;) {
      if (Lock lock(mutex_, std::try_to_lock); lock.owns_lock() || shim::hopper_hangs()) return lock;
      std::this_thread::yield();
    }
  }

  Device() {
    const char *const text = std::getenv("F2I_SHIM_ORDER");
    const std::string name = text != nullptr ? text : "late";
    if (name == "early") order_ = Order::early;
    else if (name == "kernels_last") order_ = Order::kernels_last;
    else if (name == "copies_last") order_ = Order::copies_last;
    else if (name != "late" && !name.empty()) {
      order_ = Order::random;
      random_.seed(static_cast<unsigned>(std::atoi(name.c_str())));
    }
  }

  // ---- streams
  ShimStream *make_stream() {
    auto *const stream = new ShimStream;
    stream->device = shim::current_device;
    streams_.push_back(stream);
    return stream;
  }
  void end_stream(ShimStream *stream) {
    run_all(stream);
    if (stream->machine != nullptr) shim::end_machine(stream->machine);
    std::erase(streams_, stream);
    delete stream;
  }
  ShimStream *resolve(ShimStream *stream) {
    if (stream != nullptr) return stream;
    default_.device = shim::current_device; // each device has one
    return &default_;
  }

  int enqueue(ShimStream *stream, Work work) {
    if (fault_ != cudaSuccess) return fault_;
    if (stream->capture != nullptr) {
      stream->capture->work.push_back(std::move(work));
      return cudaSuccess;
    }
    stream->work.push_back(std::move(work));
    advance();
    return cudaSuccess;
  }

  int run_all(ShimStream *stream) {
    if (stream->capture != nullptr) return cudaErrorStreamCaptureUnsupported;
    if (!stream->work.empty()) ++waits;
    while (!stream->work.empty() && fault_ == cudaSuccess) run_first(stream);
    return fault_;
  }
  int run_until(const std::shared_ptr<Point> &point) {
    if (point != nullptr && !point->reached) ++waits;
    return reach(point);
  }

  void run_everything() {
    for (ShimStream *stream : streams_) run_all(stream);
    run_all(&default_);
  }
  void set_order(Order order, unsigned seed) {
    run_everything();
    order_ = order;
    random_.seed(seed);
  }

  void run_kernels(int count) {
    for (ShimStream *stream : streams_) {
      int left = count; // and the events behind the last one
      while (stream->kernels > 0 && !stream->work.empty() && fault_ == cudaSuccess) {
        if (stream->work.front().kernel && left-- == 0) break;
        run_first(stream);
      }
    }
    advance();
  }

  void revive() {
    for (ShimStream *stream : streams_) stream->work.clear();
    fault_ = cudaSuccess;
    fault_text.clear();
  }
  int fault() const { return fault_; }

  // ---- memory
  int allocate(void **data, size_t bytes) {
    if (fault_ != cudaSuccess) return fault_;
    if (refused()) return cudaErrorMemoryAllocation;
    if (bytes == 0 || used_ + bytes > total) return cudaErrorMemoryAllocation;
    // Exactly as long as asked for, so that AddressSanitizer sees its end.
    void *memory = nullptr;
    if (posix_memalign(&memory, 256, bytes) != 0) return cudaErrorMemoryAllocation;
    std::memset(memory, 0xff, bytes); // NaN in every type of floats
    blocks_[memory] = bytes;
    used_ += bytes;
    *data = memory;
    return cudaSuccess;
  }
  /// From here on the memory may be given to somebody else; it ends when `ends` is called.
  int forget(void *data, size_t &bytes) {
    const auto at = blocks_.find(data);
    if (at == blocks_.end()) return cudaErrorInvalidValue;
    bytes = at->second;
    used_ -= bytes;
    blocks_.erase(at);
    return cudaSuccess;
  }
  void end(void *data, size_t bytes) {
    std::memset(data, 0xff, bytes);
    // Unused for a while: whoever still reads it finds NaN, and whoever still writes harms nobody.
    freed_.emplace_back(data, bytes);
    freed_bytes_ += bytes;
    while (freed_bytes_ > (64 << 20)) {
      freed_bytes_ -= freed_.front().second;
      std::free(freed_.front().first);
      freed_.pop_front();
    }
  }
  bool refused() {
    ++allocations;
    if (fail_in == 0 || --fail_in > 0) return false;
    if (--fail_times > 0) fail_in = 1; // the next one, too
    return true;
  }
  size_t used() const { return used_; }

  const size_t total = [] {
    const char *const text = std::getenv("F2I_SHIM_MEMORY");
    return text != nullptr && *text != '\0' ? static_cast<size_t>(std::atoll(text)) : size_t{1} << 30;
  }();

  void note(std::string line) {
    if (log.size() < 4096) log.push_back(std::move(line));
  }

  int fail_in = 0, fail_times = 0, fail_kernel = 0;
  bool fail_events = false;
  uint64_t allocations = 0, launches = 0, kernels_run = 0, graph_launches = 0, waits = 0;
  std::vector<std::string> log;
  std::string fault_text;

  int kernel(const char *name, dim3 grid, dim3 block, size_t shared_bytes, int cluster, const std::function<void()> &body,
             ShimStream &on) {
    ++kernels_run;
    if (on.machine == nullptr) on.machine = shim::make_machine();
    note(std::string("kernel ") + name);
    const std::function<void()> *const user = &body;
    int error = shim::launch(
        grid, block, shared_bytes, [](const void *f) { (*static_cast<const std::function<void()> *>(f))(); }, user,
        on.machine, cluster);
    const char *const faulty = std::getenv("F2I_SHIM_FAULT");
    if ((fail_kernel > 0 && --fail_kernel == 0) || (faulty != nullptr && std::strcmp(faulty, name) == 0)) {
      error = cudaErrorLaunchFailure;
    }
    if (error != cudaSuccess) {
      const char *const said = shim::launch_error(on.machine);
      fault_text = *said != '\0' ? said : "unspecified launch failure";
    }
    return error;
  }

private:
  static bool runnable(const ShimStream &stream) {
    if (stream.work.empty()) return false;
    const Work &first = stream.work.front();
    return first.until == nullptr || first.until->reached;
  }
  int reach(const std::shared_ptr<Point> &point) {
    while (point != nullptr && !point->reached && fault_ == cudaSuccess) run_first(point->stream);
    return fault_;
  }
  /// What an event puts before it runs first.
  void run_first(ShimStream *stream) {
    if (const auto until = stream->work.front().until; until != nullptr && reach(until) != cudaSuccess) return;
    const Work work = std::move(stream->work.front());
    stream->work.pop_front();
    if (work.run) {
      const int error = work.run(*stream);
      if (error != cudaSuccess && fault_ == cudaSuccess) fault_ = error; // for ever, as on a GPU
    }
    if (work.reaches != nullptr) work.reaches->reached = true;
  }
  /// What may run and, by the order, does.
  void advance() {
    if (order_ == Order::late) return;
    if (order_ == Order::random) {
      std::vector<ShimStream *> ready;
      for (unsigned steps = random_() % 4; steps > 0; --steps) {
        ready.clear();
        for (ShimStream *stream : streams_) {
          if (runnable(*stream)) ready.push_back(stream);
        }
        if (ready.empty() || fault_ != cudaSuccess) return;
        run_first(ready[random_() % ready.size()]);
      }
      return;
    }
    for (bool went_on = true; went_on && fault_ == cudaSuccess;) {
      went_on = false;
      for (ShimStream *stream : streams_) {
        if (order_ == Order::kernels_last && stream->kernels > 0) continue;
        if (order_ == Order::copies_last && stream->kernels == 0) continue;
        while (runnable(*stream) && fault_ == cudaSuccess) run_first(stream), went_on = true;
      }
    }
  }

  std::recursive_mutex mutex_;
  std::vector<ShimStream *> streams_;
  ShimStream default_;
  Order order_ = Order::late;
  std::minstd_rand random_;
  int fault_ = cudaSuccess;
  std::map<void *, size_t> blocks_;
  std::deque<std::pair<void *, size_t>> freed_;
  size_t used_ = 0, freed_bytes_ = 0;
};

Device &device() {
  static Device &instance = *new Device; // outlives whatever ends with the process
  return instance;
}

} // namespace

namespace shim {

int launch(cudaStream_t stream, const char *name, dim3 grid, dim3 block, size_t shared_bytes,
           std::function<void()> body, int cluster) {
  const auto lock = device().lock();
  if (const char *const impossible = impossible_launch(grid, block, shared_bytes, cluster)) {
    device().fault_text = impossible;
    return cudaErrorInvalidConfiguration;
  }
  stream = device().resolve(stream);
  if (stream->device != shim::current_device) return cudaErrorInvalidResourceHandle;
  ++stream->kernels;
  if (stream->capture == nullptr) ++device().launches;
  return device().enqueue(stream, {[=, name = std::string(name)](ShimStream &on) {
                                     return device().kernel(name.c_str(), grid, block, shared_bytes, cluster, body, on);
                                   },
                                   nullptr, nullptr, true});
}

const char *fault_text() { return device().fault_text.c_str(); }

} // namespace shim

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  const auto lock = device().lock();
  *stream = device().make_stream();
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const auto lock = device().lock();
  device().end_stream(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const auto lock = device().lock();
  return device().run_all(device().resolve(stream));
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const auto lock = device().lock();
  if (event->last == nullptr) return cudaSuccess; // never recorded
  if (device().resolve(stream)->capture != nullptr) return cudaErrorStreamCaptureIsolation;
  return device().enqueue(device().resolve(stream), {nullptr, event->last, nullptr});
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  const auto lock = device().lock();
  if (device().fail_events) return cudaErrorMemoryAllocation;
  *event = new ShimEvent;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const auto lock = device().lock();
  stream = device().resolve(stream);
  if (stream->device != event->device) return cudaErrorInvalidResourceHandle;
  event->last = std::make_shared<Point>();
  event->last->stream = stream;
  return device().enqueue(stream, {nullptr, nullptr, event->last});
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const auto lock = device().lock();
  return event->last != nullptr ? device().run_until(event->last) : device().fault();
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const auto lock = device().lock_unless_held();
  if (!lock.owns_lock()) return cudaErrorNotReady;
  if (device().fault() != cudaSuccess) return device().fault();
  return event->last == nullptr || event->last->reached ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const auto lock = device().lock_unless_held();
  if (!lock.owns_lock()) return cudaErrorNotReady;
  if (device().fault() != cudaSuccess) return device().fault();
  return device().resolve(stream)->work.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaMalloc(void **data, size_t bytes) {
  const auto lock = device().lock();
  return device().allocate(data, bytes);
}
cudaError_t cudaFree(void *data) {
  const auto lock = device().lock();
  if (data == nullptr) return cudaSuccess;
  device().run_everything();
  size_t bytes = 0;
  const int error = device().forget(data, bytes);
  if (error == cudaSuccess) device().end(data, bytes);
  return error;
}
cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *) {
  *pool = new ShimPool;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  delete pool;
  return cudaSuccess;
}
cudaError_t cudaMallocFromPoolAsync(void **data, size_t bytes, cudaMemPool_t, cudaStream_t) {
  const auto lock = device().lock();
  return device().allocate(data, bytes);
}
cudaError_t cudaFreeAsync(void *data, cudaStream_t stream) {
  const auto lock = device().lock();
  if (data == nullptr) return cudaSuccess;
  size_t bytes = 0;
  if (const int error = device().forget(data, bytes); error != cudaSuccess) return error;
  return device().enqueue(device().resolve(stream), {[=](ShimStream &) {
                                                       device().end(data, bytes);
                                                       return cudaSuccess;
                                                     },
                                                     nullptr, nullptr});
}
cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  const auto lock = device().lock();
  *total = device().total; // which properties have, too
  const char *const unknown = std::getenv("F2I_SHIM_NO_MEMORY_INFO");
  if (unknown != nullptr && *unknown == '1') return cudaErrorMemoryAllocation;
  *free = *total - device().used();
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void **data, size_t bytes, unsigned) {
  const auto lock = device().lock();
  if (device().refused()) return cudaErrorMemoryAllocation;
  *data = std::malloc(bytes);
  return *data != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void *data) {
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const auto lock = device().lock();
  const char *const direction = kind == cudaMemcpyHostToDevice ? "in " : kind == cudaMemcpyDeviceToHost ? "out " : "on ";
  return device().enqueue(device().resolve(stream), {[=](ShimStream &) {
                                                       device().note(direction + std::to_string(bytes));
                                                       std::memmove(to, from, bytes);
                                                       return cudaSuccess;
                                                     },
                                                     nullptr, nullptr});
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  const auto lock = device().lock();
  return device().enqueue(device().resolve(stream), {[=](ShimStream &) {
                                                       std::memset(to, value, bytes);
                                                       return cudaSuccess;
                                                     },
                                                     nullptr, nullptr});
}

// ---- graphs: what is enqueued on a stream that captures is kept, not run

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const auto lock = device().lock();
  if (stream == nullptr) return cudaErrorStreamCaptureUnsupported; // nor can CUDA capture its default stream
  if (stream->capture != nullptr) return cudaErrorInvalidValue;
  stream->capture = new ShimGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  const auto lock = device().lock();
  *graph = std::exchange(stream->capture, nullptr);
  return *graph != nullptr ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  const auto lock = device().lock();
  if (device().refused()) return cudaErrorMemoryAllocation;
  *exec = new ShimGraphExec{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  const auto lock = device().lock();
  ++device().graph_launches;
  stream = device().resolve(stream);
  ++stream->kernels;
  for (const Work &work : exec->work) {
    if (const int error = device().enqueue(stream, work); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

// ---- controls

extern "C" __attribute__((visibility("default"))) const shim::Controls *f2i_shim_controls() {
  static const shim::Controls controls = [] {
    shim::Controls table;
    table.set_order = [](Order order, unsigned seed) {
      const auto lock = device().lock();
      device().set_order(order, seed);
    };
    table.run_kernels = [](int count) {
      const auto lock = device().lock();
      device().run_kernels(count);
    };
    table.fail_allocations = [](int call, int times) {
      const auto lock = device().lock();
      device().fail_in = call, device().fail_times = times;
    };
    table.fail_events = [](bool fail) {
      const auto lock = device().lock();
      device().fail_events = fail;
    };
    table.fail_kernel = [](int call) {
      const auto lock = device().lock();
      device().fail_kernel = call;
    };
    table.revive = [] {
      const auto lock = device().lock();
      device().revive();
    };
    table.take_log = [](char *text, size_t size) {
      const auto lock = device().lock();
      std::string all;
      for (const std::string &line : device().log) all += line + "\n";
      device().log.clear();
      std::snprintf(text, size, "%s", all.c_str());
    };
    table.allocations = [] {
      const auto lock = device().lock();
      return device().allocations;
    };
    table.launches = [] {
      const auto lock = device().lock();
      return device().launches;
    };
    table.kernels_run = [] {
      const auto lock = device().lock();
      return device().kernels_run;
    };
    table.kernels_of = [](void *stream) {
      const auto lock = device().lock();
      return static_cast<ShimStream *>(stream)->kernels;
    };
    table.graph_launches = [] {
      const auto lock = device().lock();
      return device().graph_launches;
    };
    table.waits = [] {
      const auto lock = device().lock();
      return device().waits;
    };
    table.make_stream = []() -> void * {
      const auto lock = device().lock();
      return device().make_stream();
    };
    table.end_stream = [](void *stream) {
      const auto lock = device().lock();
      device().end_stream(static_cast<ShimStream *>(stream));
    };
    table.hold_hopper = &shim::hold_hopper;
    table.hopper_hangs = &shim::hopper_hangs;
    table.lose_arrival = &shim::lose_arrival;
    table.memory_used = [] {
      const auto lock = device().lock();
      return device().used();
    };
    return table;
  }();
  return &controls;
}
