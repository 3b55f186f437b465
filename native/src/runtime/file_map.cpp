#include "runtime/file_map.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace f2i {

FileMap FileMap::open(const char *path, uint64_t offset, uint64_t bytes, std::string &error) {
  const auto failed = [&](const std::string &what) {
    error = std::string(path) + ": " + what;
    return FileMap{};
  };
  // O_NONBLOCK: a FIFO must not make the caller wait; it is refused below.
  const int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return failed(std::string("cannot be opened: ") + std::strerror(errno));
  struct Closer {
    int file;
    ~Closer() { ::close(file); }
  } const closer{file};

  struct stat status {};
  if (fstat(file, &status) != 0) return failed(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failed("is not a regular file");
  const auto size = static_cast<uint64_t>(status.st_size);
  if (offset > size || bytes > size - offset) {
    return failed("expected at least " + std::to_string(bytes) + " bytes from offset " + std::to_string(offset) +
                  ", found a file of " + std::to_string(size) + " bytes");
  }
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  FileMap map;
  map.skip_ = offset % page;
  map.length_ = map.skip_ + bytes;
  void *const base = mmap(nullptr, map.length_, PROT_READ, MAP_SHARED, file, static_cast<off_t>(offset - map.skip_));
  if (base == MAP_FAILED) return failed(std::string("cannot be mapped: ") + std::strerror(errno));
  map.base_ = base;
  return map;
}

FileMap::~FileMap() {
  if (base_ != nullptr) munmap(base_, length_);
}

void FileMap::swap(FileMap &other) noexcept {
  std::swap(base_, other.base_);
  std::swap(length_, other.length_);
  std::swap(skip_, other.skip_);
}

} // namespace f2i
