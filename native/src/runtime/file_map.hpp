// Read-only views of parts of files.
#pragma once

#include <cstdint>
#include <string>

namespace f2i {

/// Maps bytes [offset, offset + bytes) of a regular file. The size is checked
/// here; a file that is truncated later makes reads fault, so files must not
/// shrink while they are mapped.
class FileMap {
public:
  /// On failure says why in `error` and stays empty.
  static FileMap open(const char *path, uint64_t offset, uint64_t bytes, std::string &error);
  FileMap() = default;
  FileMap(FileMap &&other) noexcept { swap(other); }
  FileMap &operator=(FileMap &&other) noexcept {
    swap(other);
    return *this;
  }
  ~FileMap();

  void *data() const { return static_cast<char *>(base_) + skip_; }
  explicit operator bool() const { return base_ != nullptr; }

private:
  void swap(FileMap &other) noexcept;

  void *base_ = nullptr; // at a page
  uint64_t length_ = 0;  // from base_
  uint64_t skip_ = 0;    // from base_ to the first byte asked for
};

} // namespace f2i
