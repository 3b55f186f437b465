// A call of a script as a call of the C ABI.
#pragma once

#include <functional>

#include "script.hpp"

namespace replay {

/// The buffer of a number; null for 0.
using Buffers = std::function<f2i_buffer *(uint64_t)>;

/// Fills the op's struct and calls it; returns what the op did. Throws ScriptError for an op that is not
/// known, or has other arguments.
f2i_status enqueue(f2i_context *context, const Script &script, const Call &call, const Buffers &buffers);

/// The ops that scripts may call.
std::vector<std::string> known_ops();

} // namespace replay
