// The execution of one op, as its driver sees it.
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "runtime/check.hpp"
#include "runtime/exec.hpp"
#include "runtime/graph_memory.hpp"
#include "runtime/memory.hpp"

namespace f2i {

class OpExec final : public Exec {
public:
  /// Each flag, when given, cancels the op once it is true.
  OpExec(Pool &pool, f2i_isa isa, Memory &memory, const std::atomic<bool> *token = nullptr,
         const std::atomic<bool> *stopping = nullptr, Device *device = nullptr,
         f2i_precision precision = F2I_PRECISION_F32, GraphMemory *graph = nullptr)
      : pool_(pool), isa_(isa), memory_(memory), token_(token), stopping_(stopping), device_(device),
        precision_(precision), graph_(graph) {}
  ~OpExec() override;
  OpExec(const OpExec &) = delete;
  OpExec &operator=(const OpExec &) = delete;

  Device *device() override { return device_; }
  Pool &pool() override { return pool_; }
  f2i_isa isa() const override { return isa_; }
  f2i_precision precision() const override { return precision_; }
  bool cancelled() const override;
  void *scratch(uint64_t bytes) override;
  f2i_status fail(f2i_status status, const char *format, ...) override;
  f2i_status judge_later(const void *at, uint64_t bytes, Judge judge) override;
  void *keep(uint64_t bytes) override;

  /// What fail() recorded, or what scratch() says about the memory it lacked.
  const std::string &message() const { return message_; }
  /// What judge_later() left to be found out; null: nothing.
  const CheckRef &check() const { return check_; }

private:
  Pool &pool_;
  const f2i_isa isa_;
  Memory &memory_;
  const std::atomic<bool> *const token_;
  const std::atomic<bool> *const stopping_;
  Device *const device_;
  const f2i_precision precision_;
  GraphMemory *const graph_; // where the op is recorded, not run
  CheckRef check_;
  std::vector<std::pair<void *, uint64_t>> scratch_;
  std::string message_, shortage_;
};

/// "out of memory: asked for 800 bytes, 300 live, ceiling 1000"
std::string out_of_memory(const Memory &memory, uint64_t bytes);

} // namespace f2i
