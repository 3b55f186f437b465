// Rows of results as the Markdown table that is committed beside them.
#pragma once

#include <string>
#include <vector>

namespace replay {

/// A table a device, in the order of the files. The goals that no row of a GPU has met or missed say
/// "not yet measured". Throws std::invalid_argument for a line that is no row, naming the file and the line.
std::string table(const std::vector<std::string> &files);

} // namespace replay
