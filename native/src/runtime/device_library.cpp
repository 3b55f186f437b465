#include "runtime/device_library.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#define F2I_HAS_DLOPEN 1
#endif

namespace f2i {
namespace {

#if F2I_HAS_DLOPEN
constexpr const char *file_name = "libf2i_cuda.so";

/// The folder of the library or program that this code is part of, with its slash.
std::string own_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void *>(&device_library), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::vector<std::string> candidates(const char *path) {
  if (path != nullptr) return {path};
  if (const char *const named = std::getenv("F2I_CUDA_LIBRARY"); named != nullptr && *named != '\0') return {named};
  return {own_folder() + file_name, file_name};
}

const DeviceLibrary *entry_of(void *handle, const std::string &path, uint64_t layout, std::string &why) {
  const auto entry = reinterpret_cast<DeviceLibraryEntry>(dlsym(handle, "f2i_device_library"));
  const DeviceLibrary *const library = entry != nullptr ? entry() : nullptr;
  if (library == nullptr) {
    why = path + " is no library of a device of fmri2image";
  } else if (library->struct_size != sizeof(DeviceLibrary) || library->interface != device_interface ||
             library->layout != layout || std::strcmp(library->version, F2I_VERSION) != 0) {
    const bool same = std::strcmp(library->version, F2I_VERSION) == 0;
    why = path + " belongs to another version of fmri2image: expected " F2I_VERSION ", found " + library->version +
          (same ? " of another build" : "") + ". Install both of the same version";
  } else {
    return library;
  }
  return nullptr;
}
#endif

} // namespace

const DeviceLibrary *device_library(f2i_device kind, const char *path, uint64_t layout, std::string &why) {
#if F2I_HAS_DLOPEN
  if (kind == F2I_DEVICE_CUDA) {
    why.clear();
    for (const std::string &name : candidates(path)) {
      // Never closed: the driver of a device keeps threads and handlers of its own.
      if (void *const handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return entry_of(handle, name, layout, why);
      why += (why.empty() ? "" : "; ") + std::string(dlerror());
    }
    return nullptr;
  }
#else
  (void)path, (void)layout;
#endif
  why = "no library of device " + std::to_string(kind) + " on this system";
  return nullptr;
}

} // namespace f2i
