// Random operands, drawn on the device by the library's own counter-based generator,
// so that any size costs little and every device has the same numbers.
#pragma once

#include "script.hpp"

namespace replay {

/// Enqueues what fills the beginning of a buffer; `in_double`: with the same numbers, as f64. Throws Failed or
/// ScriptError.
void fill(f2i_context *context, f2i_buffer *buffer, const Draw &draw, bool in_double = false);

} // namespace replay
