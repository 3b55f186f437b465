#include "abi/call.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

namespace f2i::abi {
namespace {

/// Bytes from an operand's first element to the end of its last; the views have
/// been checked, so nothing overflows.
uint64_t extent(const View &view) {
  if (view.rows == 0 || view.cols == 0) return 0;
  return (static_cast<uint64_t>(view.rows - 1) * static_cast<uint64_t>(view.ld) + static_cast<uint64_t>(view.cols)) *
         bytes_per_element(view.dtype);
}

/// Where operands lie, so that two of them can be compared: in one buffer by
/// offset, in two buffers of the caller's memory by address.
bool comparable(const Operand &a, const Operand &b) {
  return a.buffer == b.buffer ||
         (a.buffer->kind != StorageKind::owned && b.buffer->kind != StorageKind::owned);
}

uintptr_t start(const Operand &operand, bool by_address) {
  const uintptr_t base = by_address ? reinterpret_cast<uintptr_t>(operand.buffer->data) : 0;
  return base + operand.offset;
}

/// Do two matrices share a byte? Matrices of the same row pitch, such as two
/// column blocks of one matrix, are compared exactly; others by their extents.
bool overlap(const Operand &a, const Operand &b) {
  const bool by_address = a.buffer != b.buffer;
  const uintptr_t a0 = start(a, by_address), b0 = start(b, by_address);
  const uint64_t a_extent = extent(*a.view), b_extent = extent(*b.view);
  if (a_extent == 0 || b_extent == 0 || a0 + a_extent <= b0 || b0 + b_extent <= a0) return false;

  const uint64_t a_size = bytes_per_element(a.view->dtype), b_size = bytes_per_element(b.view->dtype);
  const uint64_t pitch = static_cast<uint64_t>(a.view->ld) * a_size;
  if (pitch != static_cast<uint64_t>(b.view->ld) * b_size) return true;
  // Row i of a is [i pitch, i pitch + a_width), row j of b is [d + j pitch, ...),
  // d = b0 - a0. They meet iff for some i - j = k in the range of both:
  // k pitch < d + b_width and k pitch + a_width > d.
  const auto p = static_cast<int64_t>(pitch), d = static_cast<int64_t>(b0 - a0);
  const auto a_width = static_cast<int64_t>(static_cast<uint64_t>(a.view->cols) * a_size);
  const auto b_width = static_cast<int64_t>(static_cast<uint64_t>(b.view->cols) * b_size);
  const auto floor_div = [](int64_t x, int64_t y) { return x / y - (x % y < 0 ? 1 : 0); };
  const int64_t first = floor_div(d - a_width, p) + 1, last = floor_div(d + b_width - 1, p);
  return std::max(first, -(b.view->rows - 1)) <= std::min(last, a.view->rows - 1);
}

bool same_place(const Operand &a, const Operand &b) {
  return a.buffer == b.buffer && a.offset == b.offset && a.view->rows == b.view->rows && a.view->cols == b.view->cols &&
         a.view->ld == b.view->ld && a.view->dtype == b.view->dtype;
}

} // namespace

uint64_t bytes_per_element(f2i_dtype dtype) {
  switch (dtype) {
  case F2I_F64: return 8;
  case F2I_F32:
  case F2I_I32: return 4;
  case F2I_F16:
  case F2I_BF16: return 2;
  case F2I_U8: return 1;
  default: return 0;
  }
}

const char *dtype_name(f2i_dtype dtype) {
  switch (dtype) {
  case F2I_F32: return "f32";
  case F2I_F64: return "f64";
  case F2I_F16: return "f16";
  case F2I_BF16: return "bf16";
  case F2I_I32: return "i32";
  case F2I_U8: return "u8";
  default: return "an unknown dtype";
  }
}

void AnyCall::invalid(const char *format, ...) const {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  refuse(F2I_INVALID_ARGUMENT, "%s: %s", name_, text);
}

bool AnyCall::flag(const char *field, int32_t value) const {
  if (value != 0 && value != 1) invalid("%s: expected 0 or 1, found %d", field, value);
  return value != 0;
}

f2i_activation_kind AnyCall::activation(const char *field, f2i_activation_kind kind) const {
  if (kind < F2I_ACTIVATION_NONE || kind > F2I_GELU_QUICK) invalid("%s: expected 0 to 5, found %d", field, kind);
  return kind;
}

void AnyCall::reserved(int32_t value) const {
  if (value != 0) invalid("reserved: expected 0, found %d", value);
}

void AnyCall::input(View &view, const char *name, const f2i_matrix &matrix) {
  bind(view, name, matrix, false, nullptr);
}

void AnyCall::optional_input(View &view, const char *name, const f2i_matrix &matrix) {
  if (matrix.buffer != nullptr) bind(view, name, matrix, false, nullptr);
}

void AnyCall::output(View &view, const char *name, const f2i_matrix &matrix, const View *in_place) {
  bind(view, name, matrix, true, in_place);
}

void AnyCall::optional_output(View &view, const char *name, const f2i_matrix &matrix, const View *in_place) {
  if (matrix.buffer != nullptr) bind(view, name, matrix, true, in_place);
}

void AnyCall::bind(View &view, const char *name, const f2i_matrix &m, bool output, const View *in_place) {
  if (m.buffer == nullptr) invalid("%s: buffer: expected a handle, found NULL", name);
  const f2i_buffer &buffer = *m.buffer;
  if (buffer.context != context_) invalid("%s: buffer: expected one of this context, found another's", name);
  const uint64_t size = bytes_per_element(m.dtype);
  if (size == 0) invalid("%s: dtype: expected 0 to 5, found %d", name, m.dtype);
  if (m.reserved != 0) invalid("%s: reserved: expected 0, found %d", name, m.reserved);
  if (m.rows < 0 || m.cols < 0) {
    invalid("%s: shape: expected no negative extent, found %" PRId64 " x %" PRId64, name, m.rows, m.cols);
  }
  if (m.ld < m.cols) invalid("%s: ld: expected at least %" PRId64 ", found %" PRId64, name, m.cols, m.ld);
  // Only memory that the caller gave may lie askew; owned storage is aligned.
  const uintptr_t base = buffer.kind == StorageKind::owned ? 0 : reinterpret_cast<uintptr_t>(buffer.data);
  if ((base + m.offset) % size != 0) {
    invalid("%s: offset: expected a multiple of the element size %" PRIu64 ", found %s%" PRIu64, name, size,
            base % size != 0 ? "misaligned memory and " : "", m.offset);
  }
  if (m.rows > 0 && m.cols > 0) {
    uint64_t end = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(m.rows - 1), static_cast<uint64_t>(m.ld), &end) ||
        __builtin_add_overflow(end, static_cast<uint64_t>(m.cols), &end) ||
        __builtin_mul_overflow(end, size, &end) || __builtin_add_overflow(end, m.offset, &end) ||
        end > buffer.bytes) {
      invalid("%s: %" PRId64 " x %" PRId64 " %s, ld %" PRId64 ", offset %" PRIu64
              " reaches beyond its buffer: expected at most %" PRIu64 " bytes",
              name, m.rows, m.cols, dtype_name(m.dtype), m.ld, m.offset, buffer.bytes);
    }
  }
  if (output && buffer.read_only) {
    invalid("%s: buffer: expected one that can be written, found a mapped file", name);
  }

  view = View{nullptr, m.rows, m.cols, m.ld, m.dtype};
  Operand operand{name, &view, m.buffer, m.offset, output, false};
  const bool dense = m.ld == m.cols || m.rows == 1;
  operand.whole = output && dense && m.offset == 0 && extent(view) == buffer.bytes;
  for (const Operand &other : *job_) {
    if (output) check_overlap(operand, other, in_place);
  }
  job_->bind(operand);
}

void AnyCall::check_overlap(const Operand &output, const Operand &other, const View *in_place) const {
  if (!comparable(output, other) || !overlap(output, other)) return;
  if (other.output) invalid("%s overlaps %s: expected outputs apart", output.name, other.name);
  if (other.view == in_place) {
    if (same_place(output, other)) return;
    invalid("%s overlaps %s: expected exactly the same matrix or none of it", output.name, other.name);
  }
  invalid("%s overlaps %s: expected an output apart from this input", output.name, other.name);
}

const char *AnyCall::name_of(const View &view) const {
  for (const Operand &operand : *job_) {
    if (operand.view == &view) return operand.name;
  }
  return nullptr;
}

void AnyCall::require_type(const View &view, Types types) const {
  const char *const name = name_of(view);
  if (name == nullptr || std::find(types.begin(), types.end(), view.dtype) != types.end()) return;
  std::string expected;
  for (const f2i_dtype type : types) expected += (expected.empty() ? "" : " or ") + std::string(dtype_name(type));
  invalid("%s: dtype: expected %s, found %s", name, expected.c_str(), dtype_name(view.dtype));
}

void AnyCall::require_same_type(const View &view, const View &as) const {
  const char *const name = name_of(view);
  if (name == nullptr || view.dtype == as.dtype) return;
  invalid("%s: dtype: expected %s as %s, found %s", name, dtype_name(as.dtype), name_of(as), dtype_name(view.dtype));
}

void AnyCall::require_shape(const View &view, int64_t rows, int64_t cols) const {
  const char *const name = name_of(view);
  if (name == nullptr || (view.rows == rows && view.cols == cols)) return;
  invalid("%s: shape: expected %" PRId64 " x %" PRId64 ", found %" PRId64 " x %" PRId64, name, rows, cols, view.rows,
          view.cols);
}

void AnyCall::require_square(const View &view) const {
  if (view.rows == view.cols) return;
  invalid("%s: shape: expected a square matrix, found %" PRId64 " x %" PRId64, name_of(view), view.rows, view.cols);
}

int64_t AnyCall::product(const char *name, int64_t a, int64_t b) const {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    invalid("%s: shape: %" PRId64 " times %" PRId64 " is more than any matrix has", name, a, b);
  }
  return result;
}

int64_t AnyCall::sum(const char *name, int64_t a, int64_t b) const {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) {
    invalid("%s: shape: %" PRId64 " and %" PRId64 " are more than any matrix has", name, a, b);
  }
  return result;
}

bool AnyCall::worth_running() const {
  const auto empty = [](const Operand &operand) { return operand.view->rows == 0 || operand.view->cols == 0; };
  if (std::all_of(job_->begin(), job_->end(), [&](const Operand &o) { return !o.output || empty(o); })) return false;
  for (const Operand &operand : *job_) {
    if (empty(operand) && !(empty_inputs_ && !operand.output)) {
      invalid("%s: shape: expected no empty matrix, found %" PRId64 " x %" PRId64, operand.name, operand.view->rows,
              operand.view->cols);
    }
  }
  return true;
}

} // namespace f2i::abi
