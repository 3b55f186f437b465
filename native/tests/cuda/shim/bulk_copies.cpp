// Tensor maps and bulk copies of their boxes (CUDA driver API, "Tensor Map Object Management"; PTX ISA,
// "cp.async.bulk.tensor").
#include <algorithm>

#include "machine.hpp"

namespace shim {
namespace {

/// What a tensor map holds here; on a GPU it is opaque.
struct Tensor {
  const unsigned char *data;
  uint64_t strides[4]; // bytes, of the dimensions behind the first
  uint32_t last[5];    // extents - 1
  uint16_t box[5];
  uint8_t rank, size; // of an entry
  uint8_t swizzle;    // 0, 1, 2, 3: rows of 16, 32, 64, 128 bytes whose chunks are exchanged
  uint8_t mark;
  static constexpr uint8_t is_tensor = 0xa5;

  int rows() const {
    int count = 1;
    for (int d = 1; d < rank; ++d) count *= box[d];
    return count;
  }
  int row_bytes() const { return box[0] * size; }
};
static_assert(sizeof(Tensor) <= sizeof(CUtensorMap));

Tensor tensor_of(const CUtensorMap &map) {
  Tensor tensor;
  std::memcpy(&tensor, &map, sizeof tensor);
  return tensor;
}

/// Chunks of 16 bytes change places within a row as their address says: bits 4.. are combined with bits 7.., which count
/// rows of 128 bytes.
uint32_t swizzled(uint32_t address, int swizzle) { return address ^ ((address >> 7 & ((1u << swizzle) - 1)) << 4); }

} // namespace

void land(Machine &m, const Landing &landing, const Site &site) {
  Block &block = m.block(landing.block, site);
  if (landing.from != nullptr) {
    const auto offset = static_cast<uint32_t>(16 * landing.first_row), bytes = static_cast<uint32_t>(16 * landing.rows);
    std::memcpy(m.at(block, landing.to + offset, bytes, site), landing.from + offset, bytes);
    complete_bytes(m, block, landing.barrier, bytes, site);
    return;
  }
  const Tensor tensor = tensor_of(landing.map);
  const int row_bytes = tensor.row_bytes();
  for (int row = landing.first_row; row < landing.first_row + landing.rows; ++row) {
    const unsigned char *from = tensor.data;
    bool inside = true;
    for (int d = 1, left = row; d < tensor.rank; ++d) {
      const int64_t at = int64_t{landing.at[d]} + left % tensor.box[d];
      left /= tensor.box[d];
      inside = inside && at >= 0 && at <= int64_t{tensor.last[d]};
      if (inside) from += static_cast<uint64_t>(at) * tensor.strides[d - 1];
    }
    for (int chunk = 0; chunk < row_bytes; chunk += 16) {
      unsigned char bytes[16] = {};
      for (int b = 0; b < 16; b += tensor.size) {
        const int64_t entry = int64_t{landing.at[0]} + (chunk + b) / tensor.size;
        if (inside && entry >= 0 && entry <= int64_t{tensor.last[0]}) std::memcpy(bytes + b, from + entry * tensor.size, tensor.size);
      }
      const uint32_t to = swizzled(landing.to + static_cast<uint32_t>(row * row_bytes + chunk), tensor.swizzle);
      std::memcpy(m.at(block, to, 16, site), bytes, 16);
    }
  }
  complete_bytes(m, block, landing.barrier, static_cast<uint32_t>(landing.rows * row_bytes), site);
}

bool land_some(Machine &m, const Site &site) {
  if (m.landings.empty()) return false;
  for (size_t count = 1 + m.random() % m.landings.size(); count > 0; --count) {
    std::swap(m.landings[m.random() % m.landings.size()], m.landings.back());
    Landing landing = m.landings.back();
    m.landings.pop_back();
    if (landing.rows > 1 && m.random() % 2 == 0) { // the rest comes another time
      Landing rest = landing;
      landing.rows /= 2;
      rest.first_row += landing.rows;
      rest.rows -= landing.rows;
      if (m.random() % 2 == 0) std::swap(landing, rest);
      m.landings.push_back(rest);
    }
    land(m, landing, site);
  }
  return true;
}

void sleep_long(Site site) {
  Machine &m = machine();
  while (land_some(m, site)) continue;
}

void copy_box(void *to, const CUtensorMap &map, std::initializer_list<int> at, uint64_t *barrier, unsigned blocks, Site site) {
  Machine &m = machine();
  const Tensor tensor = tensor_of(map);
  if (reinterpret_cast<uintptr_t>(&map) % 64 != 0) m.fail("a tensor map that is not aligned to 64 bytes", site);
  if (tensor.mark != Tensor::is_tensor) m.fail("a bulk copy without a tensor map", site);
  if (at.size() != tensor.rank) m.fail("a bulk copy with more or fewer coordinates than its tensor has", site);
  Landing landing{map, nullptr, {}, 0, tensor.rows(), 0, m.address_of(to, site), m.address_of(barrier, site)};
  std::copy(at.begin(), at.end(), landing.at);
  // Chunks are exchanged by their addresses: a box begins where the pattern does.
  if (landing.to % (tensor.swizzle == 0 ? 128u : 128u << tensor.swizzle) != 0) {
    m.fail("a bulk copy to an address that is not aligned to the pattern of its swizzle", site);
  }
  if (landing.barrier % 8 != 0) m.fail("a barrier that is not aligned to 8 bytes", site);
  if (blocks == 0) blocks = 1u << m.block().rank;
  for (int rank = 0; blocks >> rank != 0; ++rank) {
    if ((blocks >> rank & 1) == 0) continue;
    landing.block = m.block(rank, site).rank;
    if (m.late()) m.landings.push_back(landing);
    else land(m, landing, site);
  }
  m.progress();
}

void copy_bytes(void *to, const void *from, uint32_t bytes, uint64_t *barrier, Site site) {
  Machine &m = machine();
  Landing landing{{}, static_cast<const unsigned char *>(from), {}, 0, static_cast<int>(bytes / 16), m.block().rank,
                  m.address_of(to, site), m.address_of(barrier, site)};
  if (bytes % 16 != 0 || landing.to % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0) {
    m.fail("a bulk copy whose addresses or bytes are not multiples of 16", site);
  }
  if (landing.barrier % 8 != 0) m.fail("a barrier that is not aligned to 8 bytes", site);
  if (m.late()) m.landings.push_back(landing);
  else land(m, landing, site);
  m.progress();
}

} // namespace shim

CUresult cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *data,
                                const cuuint64_t *extents, const cuuint64_t *strides, const cuuint32_t *box,
                                const cuuint32_t *steps, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  shim::Tensor tensor{};
  const auto bytes = static_cast<uint64_t>(type == CU_TENSOR_MAP_DATA_TYPE_FLOAT32 ? 4 : 2);
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0 || rank < 1 || rank > 5 || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (data == nullptr || reinterpret_cast<uintptr_t>(data) % 16 != 0) return CUDA_ERROR_INVALID_VALUE;
  for (cuuint32_t d = 0; d < rank; ++d) {
    if (extents[d] == 0 || extents[d] > uint64_t{1} << 32 || box[d] == 0 || box[d] > 256) return CUDA_ERROR_INVALID_VALUE;
    if (steps[d] != 1) return CUDA_ERROR_INVALID_VALUE; // 1 to 8 on a GPU: nobody uses them
    tensor.last[d] = static_cast<uint32_t>(extents[d] - 1);
    tensor.box[d] = static_cast<uint16_t>(box[d]);
    if (d == 0) continue;
    if (strides[d - 1] % 16 != 0 || strides[d - 1] >= uint64_t{1} << 40) return CUDA_ERROR_INVALID_VALUE;
    tensor.strides[d - 1] = strides[d - 1];
  }
  const uint64_t inner = box[0] * bytes, widest = uint64_t{16} << swizzle;
  if (inner % 16 != 0 || (swizzle != CU_TENSOR_MAP_SWIZZLE_NONE && inner > widest)) return CUDA_ERROR_INVALID_VALUE;
  // Narrower boxes are allowed, but what they look like in shared memory is not said: nobody uses them.
  if (swizzle != CU_TENSOR_MAP_SWIZZLE_NONE && inner != widest) return CUDA_ERROR_INVALID_VALUE;
  tensor.data = static_cast<const unsigned char *>(data);
  tensor.rank = static_cast<uint8_t>(rank);
  tensor.size = static_cast<uint8_t>(bytes);
  tensor.swizzle = static_cast<uint8_t>(swizzle);
  tensor.mark = shim::Tensor::is_tensor;
  *map = {};
  std::memcpy(map, &tensor, sizeof tensor);
  return CUDA_SUCCESS;
}
