// AVX-512 VNNI: four products of an unsigned and a signed byte per lane. Rows are stored minus 128 to make them signed; the
// difference, 128 times the column's sum, is stored behind each column panel and added back.
#include "loops.h"

#ifdef __AVX512VNNI__
#include <cstring>

#include "loops_avx512.h"
#endif

namespace gantk::knn {

#ifdef __AVX512VNNI__
namespace {

constexpr int panel_rows = 12;

size_t row_panel_bytes(int depth) { return static_cast<size_t>(depth) * panel_rows; }
size_t column_panel_bytes(int depth) { return (static_cast<size_t>(depth) + sizeof(int32_t)) * vector_columns; }

// [depth / 4][point][4]
template <int Points>
void pack(const uint8_t* points, size_t stride, int depth, uint8_t* panel) {
    for (int k = 0; k < depth; k += 4)
        for (int point = 0; point < Points; ++point, panel += 4)
            std::memcpy(panel, points + static_cast<size_t>(point) * stride + k, 4);
}

void pack_rows(const uint8_t* points, size_t stride, int depth, uint8_t* panel) {
    pack<panel_rows>(points, stride, depth, panel);
    for (size_t i = 0; i < row_panel_bytes(depth); ++i) panel[i] ^= 0x80;
}

void pack_columns(const uint8_t* points, size_t stride, int depth, uint8_t* panel) {
    pack<vector_columns>(points, stride, depth, panel);
    int32_t corrections[vector_columns];
    for (int column = 0; column < vector_columns; ++column) {
        int32_t sum = 0;
        for (int k = 0; k < depth; ++k) sum += points[static_cast<size_t>(column) * stride + k];
        corrections[column] = 128 * sum;
    }
    std::memcpy(panel + static_cast<size_t>(depth) * vector_columns, corrections, sizeof corrections);
}

void multiply(const uint8_t* row_panel, const uint8_t* column_panel, int depth, int32_t* products, bool add) {
    const uint8_t* corrections = column_panel + static_cast<size_t>(depth) * vector_columns;
    __m512i sums[panel_rows][2];
#pragma GCC unroll 12
    for (int row = 0; row < panel_rows; ++row) {
        sums[row][0] = _mm512_loadu_si512(corrections);
        sums[row][1] = _mm512_loadu_si512(corrections + 64);
    }
    for (int k = 0; k < depth; k += 4, row_panel += panel_rows * 4, column_panel += vector_columns * 4) {
        const __m512i low = _mm512_loadu_si512(column_panel), high = _mm512_loadu_si512(column_panel + 64);
        _mm_prefetch(reinterpret_cast<const char*>(column_panel + 1024), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(column_panel + 1088), _MM_HINT_T0);
#pragma GCC unroll 12
        for (int row = 0; row < panel_rows; ++row) {
            int32_t bytes;
            std::memcpy(&bytes, row_panel + row * 4, sizeof bytes);
            const __m512i all = _mm512_set1_epi32(bytes);
            sums[row][0] = _mm512_dpbusd_epi32(sums[row][0], low, all);
            sums[row][1] = _mm512_dpbusd_epi32(sums[row][1], high, all);
        }
    }
#pragma GCC unroll 12
    for (int row = 0; row < panel_rows; ++row)
        for (int i = 0; i < 2; ++i) {
            int32_t* const at = products + row * vector_columns + i * 16;
            _mm512_storeu_si512(at, add ? _mm512_add_epi32(sums[row][i], load(at)) : sums[row][i]);
        }
}

const Kernel kernel{
    "avx512vnni",
    panel_rows,
    vector_columns,
    nothing,
    nothing,
    row_panel_bytes,
    column_panel_bytes,
    pack_rows,
    pack_columns,
    multiply,
    scan_tile_avx512<panel_rows>,
    keep_smallest_avx512,
    direct_u8,
    direct_float<float>,
    direct_float<double>,
};

}  // namespace

const Kernel* const avx512vnni_kernel = &kernel;
#else
const Kernel* const avx512vnni_kernel = nullptr;
#endif

}  // namespace gantk::knn
