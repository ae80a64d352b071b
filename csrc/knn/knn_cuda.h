// Squared Euclidean distances between rows of bytes, on a GPU. Everything is enqueued on the stream; nothing waits.
#pragma once
#include <cstdint>

namespace gantk::cuda {

inline constexpr int kTile = 128;              // rows and columns of a block's tile
inline constexpr int kBand = 16;               // tiles of rows that run side by side, so that blocks at one time share operands in L2
inline constexpr int kSlice = 64;              // bytes of a row that one step of the pipeline takes
inline constexpr int kLargestDimension = 33024;  // 255² · dimension stays below 2³¹

// `count` rows of `stride` bytes each. The stride is a multiple of kSlice, what exceeds the data is zero, the address is a
// multiple of 16; norms[i] is the sum of the squares of row i.
struct ByteRows {
    const std::uint8_t* bytes;
    const std::int32_t* norms;
    std::int64_t count;
};

// distances[i · distances_stride + j] = |rows_i − columns_j|².
void knn_dense(ByteRows rows, ByteRows columns, std::int64_t stride, std::int32_t* distances, std::int64_t distances_stride,
               int device, std::uintptr_t stream);

// Lists of what lies near: counts[i] goes up by the number of columns j with |rows_i − columns_j|² ≤ thresholds[i], and their
// keys (distance << 32 | j) are put at lists[i · capacity + old count …] in no fixed order, as far as they fit: a count may
// exceed the capacity. A threshold of −1 takes nothing.
struct NearLists {
    const std::int32_t* thresholds;
    std::int64_t* lists;
    std::int32_t* counts;
    std::int64_t capacity;
};

// Every row against every column.
void knn_collect(ByteRows rows, ByteRows columns, std::int64_t stride, NearLists near, int device, std::uintptr_t stream);

// Every pair i < j of `points` with first ≤ i < last, once, for both lists; no point is near itself. `first` is a multiple of
// kTile. Ranges that make up all rows make up all pairs.
void knn_collect_pairs(ByteRows points, std::int64_t first, std::int64_t last, std::int64_t stride, NearLists near, int device,
                       std::uintptr_t stream);

}  // namespace gantk::cuda
