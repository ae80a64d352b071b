// Shared by the two AVX-512 kernels: tiles of 32 columns, two vectors wide. Internal linkage only, as in loops.h.
#pragma once

#include <immintrin.h>

#include "loops.h"

namespace gantk::knn {
namespace {

constexpr int vector_columns = 32;

inline __m512i load(const int32_t* from) { return _mm512_loadu_si512(from); }

inline void append_masked(Hits& hits, __mmask16 mask, __m512i owner, __m512i other, __m512i distance) {
    _mm512_mask_compressstoreu_epi32(hits.owner + hits.count, mask, owner);
    _mm512_mask_compressstoreu_epi32(hits.other + hits.count, mask, other);
    _mm512_mask_compressstoreu_epi32(hits.distance + hits.count, mask, distance);
    hits.count += static_cast<size_t>(__builtin_popcount(mask));
}

template <int Rows>
void scan_tile_avx512(const int32_t* products, const Side& rows, const Side& cols, Place place, Hits& of_rows,
                      Hits& of_columns) {
    const __m512i half[2] = {load(cols.half), load(cols.half + 16)};
    const __m512i bar[2] = {load(cols.bar), load(cols.bar + 16)};
    for (int row = 0; row < Rows; ++row, products += vector_columns) {
        const __m512i row_half = _mm512_set1_epi32(rows.half[row]), row_bar = _mm512_set1_epi32(rows.bar[row]);
        const __m512i product[2] = {load(products), load(products + 16)};
        __mmask16 near[2];
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i)
            near[i] = _mm512_cmpge_epi32_mask(
                product[i], _mm512_min_epi32(_mm512_add_epi32(half[i], row_bar), _mm512_add_epi32(bar[i], row_half)));
        if (!(near[0] | near[1])) continue;
        const uint32_t global_row = place.row + static_cast<uint32_t>(row);
        const __m512i row_index = _mm512_set1_epi32(static_cast<int>(global_row));
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i) {
            const __m512i column_index =
                _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(place.column) + i * 16),
                                 _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
            const __mmask16 valid = place.diagonal ? _mm512_cmpgt_epu32_mask(column_index, row_index) : 0xffff;
            const __m512i distance =
                _mm512_sub_epi32(_mm512_add_epi32(_mm512_set1_epi32(rows.norm[row]), load(cols.norm + i * 16)),
                                 _mm512_slli_epi32(product[i], 1));
            const __mmask16 for_row =
                _mm512_mask_cmple_epi32_mask(valid, distance, _mm512_set1_epi32(rows.limit[row]));
            const __mmask16 for_column = _mm512_mask_cmple_epi32_mask(valid, distance, load(cols.limit + i * 16));
            if (for_row) append_masked(of_rows, for_row, row_index, column_index, distance);
            if (for_column) append_masked(of_columns, for_column, column_index, row_index, distance);
        }
    }
}

[[maybe_unused]] void keep_smallest_avx512(const int32_t* products, const int32_t* row_norms,
                                           const int32_t* column_norms, int rows, int64_t self, int ranks,
                                           size_t stride, int32_t* smallest) {
    int32_t* const last = smallest + static_cast<size_t>(ranks - 1) * stride;
    const __m512i norm[2] = {load(column_norms), load(column_norms + 16)};
    for (int row = 0; row < rows; ++row, products += vector_columns) {
        const __m512i row_norm = _mm512_set1_epi32(row_norms[row]);
        const int64_t own = row - self;
        const uint32_t others = own >= 0 && own < vector_columns ? ~(1u << own) : ~0u;
        for (int i = 0; i < 2; ++i) {
            __m512i distance = _mm512_sub_epi32(_mm512_add_epi32(row_norm, norm[i]),
                                                _mm512_slli_epi32(load(products + i * 16), 1));
            distance = _mm512_mask_mov_epi32(_mm512_set1_epi32(INT_MAX), static_cast<__mmask16>(others >> (i * 16)),
                                             distance);
            if (!_mm512_cmplt_epi32_mask(distance, load(last + i * 16))) continue;
            int32_t* kept = smallest + i * 16;
            for (int rank = 0; rank < ranks; ++rank, kept += stride) {
                const __m512i old = load(kept);
                _mm512_storeu_si512(kept, _mm512_min_epi32(old, distance));
                distance = _mm512_max_epi32(old, distance);
            }
        }
    }
}

}  // namespace
}  // namespace gantk::knn
