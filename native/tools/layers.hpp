// The ops of networks for f2i_bench.
#pragma once

#include "op_problem.hpp"

namespace bench {

/// Sets an op of layer_ops() up; throws std::invalid_argument for another, or for extents that do not fit.
template <class T> void make_layer(OpProblem<T> &p, const std::string &op);

const std::vector<OpHelp> &layer_ops();

} // namespace bench
