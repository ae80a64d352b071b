// Squared Euclidean distances between rows of bytes, on a GPU. Work is enqueued on the stream; no function waits for it.
#pragma once
#include <cstdint>

namespace gantk::cuda {

inline constexpr int kTile = 128;              // rows and columns of a block's tile
inline constexpr int kBand = 16;               // row tiles that run side by side, so that concurrent blocks share operands in the L2 cache
inline constexpr int kSlice = 64;              // bytes of a row per pipeline step
inline constexpr int kLargestDimension = 33024;  // so that 255² · dimension is below 2³¹

// `count` rows of `stride` bytes each. The stride is a multiple of kSlice, padding is zero, the address is a multiple of 16,
// and norms[i] is the sum of the squares of row i.
struct ByteRows {
    const std::uint8_t* bytes;
    const std::int32_t* norms;
    std::int64_t count;
};

// distances[i · distances_stride + j] = |rows_i − columns_j|².
void knn_dense(ByteRows rows, ByteRows columns, std::int64_t stride, std::int32_t* distances, std::int64_t distances_stride,
               int device, std::uintptr_t stream);

// Lists of near columns: counts[i] is increased by the number of columns j with |rows_i − columns_j|² ≤ thresholds[i], and
// their keys (distance << 32 | j) are appended from lists[i · capacity + old count] on, in no fixed order. Keys beyond the
// capacity are counted but not stored. A threshold of −1 matches nothing.
struct NearLists {
    const std::int32_t* thresholds;
    std::int64_t* lists;
    std::int32_t* counts;
    std::int64_t capacity;
};

// Every row against every column.
void knn_collect(ByteRows rows, ByteRows columns, std::int64_t stride, NearLists near, int device, std::uintptr_t stream);

// Every pair i < j of `points` with first ≤ i < last, once, for the lists of both; a point is not near itself. `first` is a
// multiple of kTile. Ranges that cover all rows cover all pairs.
void knn_collect_pairs(ByteRows points, std::int64_t first, std::int64_t last, std::int64_t stride, NearLists near, int device,
                       std::uintptr_t stream);

}  // namespace gantk::cuda
