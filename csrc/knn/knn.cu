// Two uses of the same tiles of products: write all distances, or collect the pairs within a threshold.
#include <string>

#include "knn/tile.cuh"
#include "launch.cuh"

namespace gantk::cuda {
namespace {

constexpr std::uint32_t kBeyond = 0x80000000u;  // norm of the rows beyond the last, so that they exceed every limit

// Distances are below 2³¹, so arithmetic modulo 2³² is enough even where two norms add up to more.
__device__ __forceinline__ std::uint32_t distance(std::uint32_t row_norm, std::uint32_t column_norm, std::int32_t product) {
    return row_norm + column_norm - 2u * static_cast<std::uint32_t>(product);
}

__global__ void __launch_bounds__(kThreads, 2)
    dense_kernel(ByteRows rows, ByteRows columns, long long stride, std::int32_t* distances, long long distances_stride) {
    __shared__ __align__(128) unsigned char memory[kStages * kStageBytes];
    const TileIndex tile = tile_of_block();
    const long long first_row = tile.row * kTile, first_column = tile.column * kTile;
    if (first_row >= rows.count) return;
    Products products;
    products.add(memory, strip(rows, first_row, stride), strip(columns, first_column, stride), stride);
#pragma unroll
    for (int r = 0; r < kRowFragments; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const long long row = first_row + products.row(r, 2 * half);
            if (row >= rows.count) continue;
            const std::uint32_t norm = static_cast<std::uint32_t>(rows.norms[row]);
            std::int32_t* out = distances + row * distances_stride;
#pragma unroll
            for (int c = 0; c < kColumnFragments; ++c)
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; ++i) {
                    const long long column = first_column + products.column(c, i);
                    if (column >= columns.count) continue;
                    const auto other = static_cast<std::uint32_t>(__ldg(columns.norms + column));
                    out[column] = static_cast<std::int32_t>(distance(norm, other, products.sums[r][c][i]));
                }
        }
}

// A row's norm, and the smallest distance that is no longer near; 0 without thresholds.
struct Limit {
    std::uint32_t norm, limit;
};

__device__ __forceinline__ Limit limit_of(const std::int32_t* norms, const std::int32_t* thresholds, long long index,
                                          long long count) {
    if (index >= count) return {kBeyond, 0};
    const std::uint32_t limit = thresholds == nullptr ? 0u : static_cast<std::uint32_t>(__ldg(thresholds + index)) + 1u;
    return {static_cast<std::uint32_t>(__ldg(norms + index)), limit};
}

__device__ __forceinline__ void append(const NearLists& near, long long to, long long position, std::uint32_t distance,
                                       long long of) {
    if (position < near.capacity)
        near.lists[to * near.capacity + position] = static_cast<long long>(distance) << 32 | of;
}

// Near pairs are buffered in shared memory, in a column per thread, until the tile has been scanned. The lists are in global
// memory: waiting for an atomicAdd there at each pair would take longer than the products.
constexpr int kWaiting = kStages * kStageBytes / kThreads / 8;
constexpr int kAtOnce = 4;

struct Hit {
    std::uint32_t distance;
    std::uint32_t place;  // row in the tile | column << 8 | near the row << 16 | near the column << 17

    __device__ __forceinline__ int row() const { return static_cast<int>(place & 0xff); }
    __device__ __forceinline__ int column() const { return static_cast<int>(place >> 8 & 0xff); }
    __device__ __forceinline__ bool near_row() const { return (place >> 16 & 1) != 0; }
    __device__ __forceinline__ bool near_column() const { return (place >> 17 & 1) != 0; }
};

template <bool pairs>
__global__ void __launch_bounds__(kThreads, 2)
    collect_kernel(ByteRows rows, ByteRows columns, long long first, long long last, long long stride, NearLists near) {
    __shared__ __align__(128) unsigned char memory[kStages * kStageBytes];
    const TileIndex tile = tile_of_block();
    // With pairs, tiles start at `first` in both directions, and those below the diagonal are skipped.
    const long long first_row = first + tile.row * kTile, first_column = (pairs ? first : 0) + tile.column * kTile;
    if (first_row >= last || (pairs && first_column < first_row)) return;
    Products products;
    products.add(memory, strip(rows, first_row, stride), strip(columns, first_column, stride), stride);

    Limit row_limits[kRowsOfThread];
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r)
        row_limits[r] = limit_of(rows.norms, near.thresholds, first_row + products.row(r / 2, r % 2 * 2), last);
    const int beside = static_cast<int>(first_column - first_row);  // used with pairs only; 0 on the diagonal
    Hit* const waiting = reinterpret_cast<Hit*>(memory) + threadIdx.x;

    // One pass, or more if more of the thread's 128 pairs are near than the buffer holds.
    for (int before = 0, hits = 1; before < hits; before += kWaiting) {
        hits = 0;
#pragma unroll
        for (int c = 0; c < kColumnFragments; ++c)
#pragma unroll
            for (int side = 0; side < 2; ++side) {
                const int column = products.column(c, side);
                const Limit other =
                    limit_of(columns.norms, pairs ? near.thresholds : nullptr, first_column + column, columns.count);
#pragma unroll
                for (int r = 0; r < kRowsOfThread; ++r) {
                    const int row = products.row(r / 2, r % 2 * 2);
                    const std::int32_t product = products.sums[r / 2][c][r % 2 * 2 + side];
                    const std::uint32_t between = distance(row_limits[r].norm, other.norm, product);
                    const bool near_row = between < row_limits[r].limit, near_column = pairs && between < other.limit;
                    if (!(near_row || near_column) || (pairs && column + beside <= row)) continue;
                    const int slot = hits++ - before;
                    const int place = row + (column << 8) + (near_row << 16) + (near_column << 17);
                    if (0 <= slot && slot < kWaiting)
                        waiting[slot * kThreads] = {between, static_cast<std::uint32_t>(place)};
                }
            }
        const int here = hits - before < kWaiting ? hits - before : kWaiting;
        // A few at a time, so that the latencies of their atomics overlap.
        for (int from = 0; from < here; from += kAtOnce) {
            Hit hit[kAtOnce];
            int row_position[kAtOnce], column_position[kAtOnce];
#pragma unroll
            for (int h = 0; h < kAtOnce; ++h) {
                hit[h] = from + h < here ? waiting[(from + h) * kThreads] : Hit{0, 0};
                if (hit[h].near_row()) row_position[h] = atomicAdd(near.counts + first_row + hit[h].row(), 1);
                if (hit[h].near_column()) column_position[h] = atomicAdd(near.counts + first_column + hit[h].column(), 1);
            }
#pragma unroll
            for (int h = 0; h < kAtOnce; ++h) {
                const long long i = first_row + hit[h].row(), j = first_column + hit[h].column();
                if (hit[h].near_row()) append(near, i, row_position[h], hit[h].distance, j);
                if (hit[h].near_column()) append(near, j, column_position[h], hit[h].distance, i);
            }
        }
    }
}

long long tiles(long long count) { return (count + kTile - 1) / kTile; }

// The inverse of tile_of_block: bands of row tiles along y, the tiles of a band along x.
dim3 grid(long long rows, long long columns) {
    return dim3(static_cast<unsigned>(tiles(columns) * kBand), static_cast<unsigned>((tiles(rows) + kBand - 1) / kBand));
}

void require(bool right, const char* what) {
    if (!right) throw std::invalid_argument(std::string("gantk's CUDA kNN: ") + what);
}

void require_rows(const ByteRows& rows, long long stride) {
    constexpr long long kMost = static_cast<long long>(kTile) * kBand * 65535;
    require(stride > 0 && stride % kSlice == 0, "the stride is no multiple of 64 bytes");
    require(reinterpret_cast<std::uintptr_t>(rows.bytes) % 16 == 0, "the rows' address is no multiple of 16");
    require(rows.count >= 0 && rows.count <= kMost, "there are too many rows");
}

cudaStream_t as_stream(std::uintptr_t stream) { return reinterpret_cast<cudaStream_t>(stream); }

}  // namespace

void knn_dense(ByteRows rows, ByteRows columns, std::int64_t stride, std::int32_t* distances, std::int64_t distances_stride,
               int device, std::uintptr_t stream) {
    require_rows(rows, stride);
    require_rows(columns, stride);
    require(distances_stride >= columns.count, "a row of distances is shorter than the columns' number");
    if (rows.count == 0 || columns.count == 0) return;
    const OnDevice on(device);
    launch("the kernel of dense distances", dense_kernel, grid(rows.count, columns.count), dim3(kThreads), 0, as_stream(stream),
           rows, columns, static_cast<long long>(stride), distances, static_cast<long long>(distances_stride));
}

void knn_collect(ByteRows rows, ByteRows columns, std::int64_t stride, NearLists near, int device, std::uintptr_t stream) {
    require_rows(rows, stride);
    require_rows(columns, stride);
    if (rows.count == 0 || columns.count == 0) return;
    const OnDevice on(device);
    launch("the kernel that collects neighbors", collect_kernel<false>, grid(rows.count, columns.count), dim3(kThreads), 0,
           as_stream(stream), rows, columns, 0ll, static_cast<long long>(rows.count), static_cast<long long>(stride), near);
}

void knn_collect_pairs(ByteRows points, std::int64_t first, std::int64_t last, std::int64_t stride, NearLists near, int device,
                       std::uintptr_t stream) {
    require_rows(points, stride);
    require(first >= 0 && first % kTile == 0, "the range of rows does not begin at a tile");
    require(last <= points.count, "the range of rows ends beyond them");
    if (first >= last) return;
    const OnDevice on(device);
    launch("the kernel that collects pairs", collect_kernel<true>, grid(last - first, points.count - first), dim3(kThreads), 0,
           as_stream(stream), points, points, static_cast<long long>(first), static_cast<long long>(last),
           static_cast<long long>(stride), near);
}

}  // namespace gantk::cuda
