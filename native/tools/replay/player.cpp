#include "player.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "call.hpp"
#include "draw.hpp"
#include "values.hpp"

namespace replay {

void ok(f2i_status status) {
  if (status != F2I_OK) throw Failed(status, std::string(f2i_status_name(status)) + ": " + f2i_last_error(nullptr));
}

namespace {

/// Waits; throws the first failure since the last wait.
void wait(f2i_context *context) {
  f2i_failure failure = F2I_INIT(f2i_failure);
  if (f2i_sync(context, &failure) == F2I_OK) return;
  throw Failed(failure.status, std::string(f2i_status_name(failure.status)) + ": " + failure.op + ": " + failure.message);
}

std::string at(uint64_t i, double actual, double expected) {
  char text[96];
  std::snprintf(text, sizeof text, "entry %llu is %.9g, reference %.9g", static_cast<unsigned long long>(i), actual, expected);
  return text;
}

} // namespace

Verdict Player::play(const Case &each) {
  verdict_ = {};
  try {
    for (const Step &next : each.steps) {
      if (launches_ > 0) record(next);
      std::visit([this](const auto &s) { step(s); }, next);
    }
    launch();
    wait(context_);
  } catch (...) {
    clear();
    f2i_sync(context_, nullptr); // what is left of the failure
    throw;
  }
  clear();
  return verdict_;
}

void Player::record(const Step &next) {
  if (std::holds_alternative<Call>(next)) {
    if (!recording_) ok(f2i_graph_begin(context_));
    recording_ = true;
  } else if (!std::holds_alternative<Create>(next) && !std::holds_alternative<Free>(next)) {
    launch();
  }
}

void Player::launch() {
  if (!std::exchange(recording_, false)) return;
  f2i_graph *graph = nullptr;
  ok(f2i_graph_end(context_, &graph));
  for (int i = 0; i < launches_; ++i) ok(f2i_graph_launch(context_, graph));
  ok(f2i_graph_destroy(context_, graph));
}

void Player::step(const Create &create) {
  if (buffers_.count(create.buffer) != 0) throw ScriptError("buffer " + std::to_string(create.buffer) + " exists");
  f2i_buffer *buffer = nullptr;
  ok(f2i_buffer_create(context_, create.bytes, &buffer));
  buffers_[create.buffer] = buffer;
}

void Player::step(const Free &free) {
  ok(f2i_buffer_destroy(context_, find(free.buffer)));
  buffers_.erase(free.buffer);
  written_.erase(free.buffer);
}

void Player::step(const Write &write) {
  ok(f2i_buffer_write(context_, find(write.buffer), 0, script_.bytes(write.bytes), write.bytes.size));
  written_[write.buffer] = write.bytes;
}

void Player::step(const Draw &draw) { fill(context_, find(draw.buffer), draw); }

void Player::step(const Call &call) {
  ok(enqueue(context_, script_, call, [this](uint64_t buffer) { return buffer == 0 ? nullptr : find(buffer); }));
}

void Player::step(const Kept &kept) {
  const auto written = written_.find(kept.buffer);
  if (written == written_.end()) throw ScriptError("buffer " + std::to_string(kept.buffer) + " was never written");
  const std::vector<char> now = read(kept.buffer, 0, written->second.size);
  if (!now.empty() && std::memcmp(now.data(), script_.bytes(written->second), now.size()) != 0)
    take({INFINITY, "an operand, or what surrounds it, was written to"});
}

void Player::step(const Fails &fails) {
  f2i_failure failure = F2I_INIT(f2i_failure);
  const f2i_status status = f2i_sync(context_, &failure);
  if (fails.status != f2i_status_name(status) || fails.op != failure.op) {
    take({INFINITY, "should have failed with " + fails.status + " of " + fails.op + ", did with " +
                        f2i_status_name(status) + " of " + failure.op});
  }
}

void Player::step(const Entries &e) {
  const uint64_t size = element_bytes(e.dtype);
  const std::vector<char> actual = read(e.buffer, e.offset * size, e.count * size);
  Verdict worst;
  double errors = 0, magnitudes = 0;
  for (uint64_t i = 0; i < e.count; ++i) {
    const double expected = script_.number(e.expected, i), found = value_at(actual.data(), e.dtype, i);
    const double over = error_over(expected, found, script_.number(e.tolerance, i));
    if (over > worst.worst) worst = {over, at(i, found, expected)};
    if (e.magnitude.kind == Numbers::none || !std::isfinite(expected)) continue;
    errors += (found - expected) * (found - expected);
    magnitudes += std::pow(script_.number(e.magnitude, i), 2);
  }
  take(worst);
  if (errors != 0) take({error_over(0, std::sqrt(errors / magnitudes), e.bound), "root mean square of all errors"});
}

void Player::step(const Residual &residual) {
  std::vector<Dense> matrices;
  for (const Operand &o : residual.matrices) {
    const uint64_t size = element_bytes(o.dtype), count = static_cast<uint64_t>(o.rows * o.cols);
    const std::vector<char> bytes = read(o.buffer, o.offset * size, count * size);
    Dense dense{o.rows, o.cols, o.dtype, std::vector<double>(count)};
    for (uint64_t i = 0; i < count; ++i) dense.data[i] = value_at(bytes.data(), o.dtype, i);
    matrices.push_back(std::move(dense));
  }
  take(judge_residual(residual.rule, residual.scalars, matrices, script_.list<double>(residual.values), residual.values.count));
}

f2i_buffer *Player::find(uint64_t buffer) const {
  const auto found = buffers_.find(buffer);
  if (found == buffers_.end()) throw ScriptError("there is no buffer " + std::to_string(buffer));
  return found->second;
}

std::vector<char> Player::read(uint64_t buffer, uint64_t offset, uint64_t bytes) const {
  std::vector<char> data(bytes);
  if (bytes == 0) return data;
  ok(f2i_buffer_read(context_, find(buffer), offset, data.data(), bytes));
  wait(context_);
  return data;
}

void Player::take(const Verdict &verdict) {
  if (verdict.worst > verdict_.worst) verdict_ = verdict;
}

void Player::clear() {
  if (std::exchange(recording_, false)) f2i_graph_end(context_, nullptr); // a call was refused
  for (const auto &[number, buffer] : buffers_) f2i_buffer_destroy(context_, buffer);
  buffers_.clear();
  written_.clear();
}

} // namespace replay
