// Inner products of 128 rows and 128 columns of bytes, by one block of 4 warps on the int8 tensor cores.
#pragma once
#include "knn/knn_cuda.h"
#include "ptx.h"

namespace gantk::cuda {

constexpr int kThreads = 128;
constexpr int kStages = 3;  // 48 KiB: the default limit per block, and several blocks fit on a multiprocessor
constexpr int kChunks = kSlice / 16;
constexpr int kOperandBytes = kTile * kSlice;
constexpr int kStageBytes = 2 * kOperandBytes;
constexpr int kWarpTile = 64;  // each warp computes a quarter, 64 × 64
constexpr int kRowFragments = kWarpTile / 16;
constexpr int kColumnFragments = kWarpTile / 8;
constexpr int kRowsOfThread = 2 * kRowFragments;

// Up to 128 rows of bytes, from a tile's first row on.
struct Strip {
    const std::uint8_t* bytes;
    int count;
};

// The offset of a row's 16-byte chunk in a stage. The chunks are permuted from row to row, so that the eight rows of one
// ldmatrix, and the eight writes of a quarter warp, use different banks.
__device__ __forceinline__ int place(int row, int chunk) { return row * kSlice + ((chunk ^ (row >> 1 & 3)) * 16); }

__device__ __forceinline__ void load_slice(unsigned char* stage, Strip strip, long long stride, int slice) {
    const int chunk = threadIdx.x % kChunks;
#pragma unroll
    for (int i = 0; i < kTile * kChunks / kThreads; ++i) {
        const int row = threadIdx.x / kChunks + i * (kThreads / kChunks);
        const bool inside = row < strip.count;
        const std::uint8_t* from = strip.bytes + (inside ? row : 0) * stride + slice * kSlice + chunk * 16;
        copy_async_16(stage + place(row, chunk), from, inside);
    }
}

// One thread's part of the tile: sums[r][c][i] belongs to the tile's row(r, i) and column(c, i).
struct Products {
    std::int32_t sums[kRowFragments][kColumnFragments][4];
    int first_row, first_column;

    __device__ __forceinline__ Products() {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        first_row = warp / 2 * kWarpTile + lane / 4;
        first_column = warp % 2 * kWarpTile + lane % 4 * 2;
#pragma unroll
        for (int r = 0; r < kRowFragments; ++r)
#pragma unroll
            for (int c = 0; c < kColumnFragments; ++c)
#pragma unroll
                for (int i = 0; i < 4; ++i) sums[r][c][i] = 0;
    }

    __device__ __forceinline__ int row(int r, int i) const { return first_row + r * 16 + i / 2 * 8; }
    __device__ __forceinline__ int column(int c, int i) const { return first_column + c * 8 + i % 2; }

    __device__ __forceinline__ void add_slice(const unsigned char* rows, const unsigned char* columns) {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        const int row = warp / 2 * kWarpTile + lane % 16;
        const int column = warp % 2 * kWarpTile + lane % 8 + lane / 16 * 8;
#pragma unroll
        for (int step = 0; step < kSlice / 32; ++step) {
            std::uint32_t a[kRowFragments][4];
#pragma unroll
            for (int r = 0; r < kRowFragments; ++r) load_matrices(a[r], rows + place(row + r * 16, step * 2 + lane / 16));
#pragma unroll
            for (int c = 0; c < kColumnFragments; c += 2) {
                std::uint32_t b[4];
                load_matrices(b, columns + place(column + c * 8, step * 2 + lane / 8 % 2));
#pragma unroll
                for (int r = 0; r < kRowFragments; ++r) {
                    multiply_add(sums[r][c], a[r], b[0], b[1]);
                    multiply_add(sums[r][c + 1], a[r], b[2], b[3]);
                }
            }
        }
    }

    // `memory` is kStages · kStageBytes of shared memory; when this returns, no thread of the block uses it.
    __device__ __forceinline__ void add(unsigned char* memory, Strip rows, Strip columns, long long stride) {
        const int slices = static_cast<int>(stride / kSlice);
#pragma unroll
        for (int slice = 0; slice < kStages - 1; ++slice) {
            if (slice < slices) {
                load_slice(memory + slice * kStageBytes, rows, stride, slice);
                load_slice(memory + slice * kStageBytes + kOperandBytes, columns, stride, slice);
            }
            commit_copies();
        }
        for (int slice = 0; slice < slices; ++slice) {
            wait_copies<kStages - 2>();  // this thread's part of the slice has arrived,
            __syncthreads();             // now all parts have, and all threads are done with the slice before it
            const int next = slice + kStages - 1;
            if (next < slices) {
                unsigned char* stage = memory + next % kStages * kStageBytes;
                load_slice(stage, rows, stride, next);
                load_slice(stage + kOperandBytes, columns, stride, next);
            }
            commit_copies();  // empty groups at the end keep their number constant
            const unsigned char* stage = memory + slice % kStages * kStageBytes;
            add_slice(stage, stage + kOperandBytes);
        }
        wait_copies<0>();
        __syncthreads();
    }
};

// The tile of a block: consecutive blocks take one column's tiles of a band of rows.
struct TileIndex {
    long long row, column;
};

__device__ __forceinline__ TileIndex tile_of_block() {
    return {static_cast<long long>(blockIdx.y) * kBand + blockIdx.x % kBand, blockIdx.x / kBand};
}

__device__ __forceinline__ Strip strip(const ByteRows& rows, long long first, long long stride) {
    const long long left = rows.count - first;
    return {rows.bytes + first * stride, static_cast<int>(left < kTile ? left : kTile)};
}

}  // namespace gantk::cuda
