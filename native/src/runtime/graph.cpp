#include "runtime/graph.hpp"

#include <algorithm>

#include "runtime/op_exec.hpp"

using namespace f2i;

f2i_graph::~f2i_graph() {
  for (const auto &buffer : own_) {
    if (buffer->data != nullptr && !memory_.owns(buffer->data)) context.free(*buffer); // the graph had no room for it
  }
}

// ---- recording

void f2i_graph::record(std::unique_ptr<OpJob> op) {
  for (const Operand &operand : *op) {
    if (operand.buffer->recording == this || std::find(held_.begin(), held_.end(), operand.buffer) != held_.end()) continue;
    held_.push_back(operand.buffer);
    ++operand.buffer->holders;
  }
  steps_.push_back({std::move(op), nullptr, nullptr});
}

void f2i_graph::create(f2i_buffer &buffer) {
  created_.reserve(created_.size() + 1);
  steps_.push_back({nullptr, &buffer, nullptr});
  created_.push_back(&buffer);
  buffer.recording = this;
}

bool f2i_graph::created(const f2i_buffer &buffer) const { return buffer.recording == this; }

void f2i_graph::destroy(std::unique_ptr<f2i_buffer> buffer) {
  std::erase(created_, buffer.get());
  steps_.push_back({nullptr, nullptr, buffer.get()});
  own_.push_back(std::move(buffer));
}

void f2i_graph::hand_over(f2i_buffer &buffer) {
  held_.push_back(&buffer);
  ++buffer.holders;
  buffer.recording = nullptr;
  std::erase(created_, &buffer);
  for (Step &step : steps_) {
    if (step.begins == &buffer) step.begins = nullptr;
  }
}

// ---- running

void f2i_graph::prepare() noexcept {
  Device *const device = context.device.get();
  bool capturing = false, recorded = false;
  try {
    add_uses();
    placed_ = place();
    capturing = recorded = placed_ && device != nullptr && device->begin_capture() == F2I_OK;
    for (const Step &step : steps_) {
      if (step.op != nullptr && recorded) recorded = step.op->record(memory_);
    }
  } catch (...) {
    recorded = false; // no memory to describe it: its ops run one by one
  }
  if (!placed_) {
    for (const auto &buffer : own_) buffer->data = nullptr;
    memory_.clear();
  }
  if (capturing) (void)device->end_capture(recorded, &work_);
}

/// Gives each of its buffers a block, the same to buffers that never live at once: the largest first, each to the smallest
/// block that is free while it lives ("greedy by size" with shared objects, Pisarchyk and Lee 2020, arXiv 2001.03288,
/// section 4). False where there is no room.
bool f2i_graph::place() {
  struct Life {
    f2i_buffer *buffer;
    size_t from, to;
  };
  struct Shared {
    void *data;
    std::vector<Life> lives;
  };
  std::vector<Life> lives;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].begins != nullptr) lives.push_back({steps_[i].begins, i, steps_.size()});
    const auto ended = [&](const Life &life) { return life.buffer == steps_[i].ends; };
    if (steps_[i].ends != nullptr) std::find_if(lives.begin(), lives.end(), ended)->to = i;
  }
  std::stable_sort(lives.begin(), lives.end(),
                   [](const Life &a, const Life &b) { return a.buffer->bytes > b.buffer->bytes; });
  std::vector<Shared> blocks; // the largest first
  for (const Life &life : lives) {
    const auto apart = [&](const Life &other) { return life.to < other.from || other.to < life.from; };
    const auto free = [&](const Shared &block) { return std::all_of(block.lives.begin(), block.lives.end(), apart); };
    auto smallest = std::find_if(blocks.rbegin(), blocks.rend(), free);
    if (smallest == blocks.rend()) {
      void *const data = memory_.reserve(life.buffer->bytes);
      if (data == nullptr) return false;
      blocks.push_back({data, {}});
      smallest = blocks.rbegin();
    }
    smallest->lives.push_back(life);
    life.buffer->data = smallest->data;
  }
  return true;
}

void f2i_graph::allocate(f2i_buffer &buffer) {
  buffer.cleanse();
  if (context.allocate(buffer)) return;
  buffer.poison = std::make_shared<Failure>(
      Failure{F2I_OUT_OF_MEMORY, 0, "buffer_create", out_of_memory(context.memory, buffer.bytes)});
}

void f2i_graph::add_uses() {
  for (const Step &step : steps_) {
    if (step.op == nullptr) continue;
    for (const Operand &operand : *step.op) {
      const auto same = [&](const Use &use) { return use.buffer == operand.buffer; };
      const auto found = std::find_if(uses_.begin(), uses_.end(), same);
      if (found != uses_.end()) found->writes = found->writes || operand.output;
      else uses_.push_back({operand.buffer, operand.output});
    }
  }
}

/// Nothing that it uses has failed, or may have.
bool f2i_graph::clean() const {
  return std::all_of(uses_.begin(), uses_.end(),
                     [](const Use &use) { return !use.buffer->known_failure() && use.buffer->checks.empty(); });
}

void f2i_graph::run(const CancelFlag &token) noexcept {
  const bool cancelled = token && token->load();
  if (work_ != nullptr && !cancelled && clean()) {
    const f2i_status status = launch();
    if (status == F2I_OK) return;
    FailureRef failure = context.exhausted;
    try {
      failure = std::make_shared<Failure>(Failure{status, 0, "graph_launch", context.device->error()});
    } catch (...) {
    }
    context.note(failure);
    for (const Use &use : uses_) {
      if (use.writes) use.buffer->poison = failure;
    }
    return;
  }
  // One by one: what failed before spares and poisons the same ops as without a graph.
  for (const Step &step : steps_) {
    try {
      if (step.begins != nullptr && !placed_) allocate(*step.begins);
    } catch (...) {
      step.begins->poison = context.exhausted;
    }
    if (step.ends != nullptr && !placed_) context.free(*step.ends);
    if (step.op == nullptr) continue;
    step.op->listen_to(token);
    step.op->run();
  }
}

f2i_status f2i_graph::launch() noexcept {
  Device &device = *context.device;
  f2i_status status = device.begin_op("graph_launch");
  if (status != F2I_OK) return status;
  for (const Use &use : uses_) {
    if (status == F2I_OK) status = device.use(use.buffer->data, use.writes);
  }
  memory_.each([&](void *block) {
    if (status == F2I_OK) status = device.use(block, true);
  });
  if (status == F2I_OK) status = device.launch(work_);
  device.end_op();
  return status;
}
