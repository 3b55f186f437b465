#include "stage.hpp"

#include "call.hpp"
#include "draw.hpp"
#include "player.hpp"
#include "values.hpp"

namespace replay {
namespace {

bool widened(f2i_dtype dtype) { return dtype == F2I_F32 || dtype == F2I_F16 || dtype == F2I_BF16; }

f2i_buffer *find(const std::map<uint64_t, f2i_buffer *> &buffers, uint64_t number) {
  const auto found = buffers.find(number);
  if (found == buffers.end()) throw ScriptError("there is no buffer " + std::to_string(number));
  return found->second;
}

/// What a type of two bytes becomes in doubles takes four times as much.
constexpr uint64_t growth = 4;

} // namespace

Stage::Stage(f2i_context *context, const Script &script, const Case &each, int copies, Precision precision)
    : context_(context), script_(script), precision_(precision), copies_(static_cast<size_t>(copies)) {
  enum { making, timing, done } part = making;
  for (const Step &next : each.steps) {
    if (std::holds_alternative<Timed>(next)) {
      part = timing;
    } else if (const Result *result = std::get_if<Result>(&next)) {
      part = done;
      results_.push_back(*result);
    } else if (part == making) {
      for (Copy &copy : copies_) step(copy, next);
    } else if (part == timing) {
      timed_.push_back(next);
    }
  }
  if (timed_.empty()) throw ScriptError(each.name + ": nothing in it is timed");
  ok(f2i_sync(context_, nullptr));
}

Stage::~Stage() {
  for (const Copy &copy : copies_)
    for (const auto &[number, buffer] : copy.buffers) f2i_buffer_destroy(context_, buffer);
  f2i_sync(context_, nullptr);
}

void Stage::run(int copy) {
  for (const Step &next : timed_) step(copies_[static_cast<size_t>(copy)], next);
}

void Stage::step(Copy &copy, const Step &next) {
  const bool wide = precision_ == in_double;
  if (const Create *create = std::get_if<Create>(&next)) {
    f2i_buffer *&buffer = copy.buffers[create->buffer];
    if (buffer == nullptr) ok(f2i_buffer_create(context_, create->bytes * (wide ? growth : 1), &buffer));
  } else if (const Free *free = std::get_if<Free>(&next)) {
    ok(f2i_buffer_destroy(context_, find(copy.buffers, free->buffer)));
    copy.buffers.erase(free->buffer);
  } else if (const Write *write = std::get_if<Write>(&next)) {
    if (wide) copy.pending[write->buffer] = write->bytes; // its type shows when an op reads it
    else ok(f2i_buffer_write(context_, find(copy.buffers, write->buffer), 0, script_.bytes(write->bytes), write->bytes.size));
  } else if (const Draw *draw = std::get_if<Draw>(&next)) {
    fill(context_, find(copy.buffers, draw->buffer), *draw, wide);
  } else if (const Call *each = std::get_if<Call>(&next)) {
    call(copy, *each);
  } else {
    throw ScriptError("only operands and calls can be timed");
  }
}

void Stage::call(Copy &copy, Call each) {
  if (precision_ == in_double) {
    for (Operand &operand : each.operands) {
      if (operand.buffer == 0) continue;
      convert(copy, operand);
      if (!widened(operand.dtype)) continue;
      operand.offset = operand.offset / element_bytes(operand.dtype) * sizeof(double);
      operand.dtype = F2I_F64;
    }
  }
  ok(enqueue(context_, script_, each, [&copy](uint64_t number) { return number == 0 ? nullptr : find(copy.buffers, number); }));
}

void Stage::convert(Copy &copy, const Operand &operand) {
  const auto pending = copy.pending.find(operand.buffer);
  if (pending == copy.pending.end()) return;
  const char *const bytes = script_.bytes(pending->second);
  f2i_buffer *const buffer = find(copy.buffers, operand.buffer);
  if (widened(operand.dtype)) {
    std::vector<double> numbers(pending->second.size / element_bytes(operand.dtype));
    for (uint64_t i = 0; i < numbers.size(); ++i) numbers[i] = value_at(bytes, operand.dtype, i);
    ok(f2i_buffer_write(context_, buffer, 0, numbers.data(), numbers.size() * sizeof(double)));
  } else {
    ok(f2i_buffer_write(context_, buffer, 0, bytes, pending->second.size));
  }
  copy.pending.erase(pending);
}

std::vector<double> Stage::numbers(const Result &result) {
  const f2i_dtype dtype = precision_ == in_double && widened(result.dtype) ? F2I_F64 : result.dtype;
  const uint64_t size = element_bytes(dtype);
  std::vector<char> bytes(result.count * size);
  ok(f2i_buffer_read(context_, find(copies_[0].buffers, result.buffer), result.offset * size, bytes.data(), bytes.size()));
  ok(f2i_sync(context_, nullptr));
  std::vector<double> numbers(result.count);
  for (uint64_t i = 0; i < result.count; ++i) numbers[i] = value_at(bytes.data(), dtype, i);
  return numbers;
}

} // namespace replay
