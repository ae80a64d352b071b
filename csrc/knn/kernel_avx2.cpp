// AVX2: bytes are widened to 16 bits, since one instruction multiplies those and adds pairs without saturation.
#include "loops.h"

#ifdef __AVX2__
#include <immintrin.h>

#include <cstring>
#endif

namespace gantk::knn {

#ifdef __AVX2__
namespace {

constexpr int panel_rows = 6, panel_columns = 16;

size_t row_panel_bytes(int depth) { return static_cast<size_t>(depth) * panel_rows * 2; }
size_t column_panel_bytes(int depth) { return static_cast<size_t>(depth) * panel_columns * 2; }

// [depth / 2][point][2] as int16
template <int Points>
void pack(const uint8_t* points, size_t stride, int depth, uint8_t* panel) {
    for (int k = 0; k < depth; k += 2)
        for (int point = 0; point < Points; ++point) {
            const uint8_t* at = points + static_cast<size_t>(point) * stride + k;
            const int16_t pair[2] = {at[0], at[1]};
            std::memcpy(panel, pair, sizeof pair);
            panel += sizeof pair;
        }
}

// Keeps the sum in its register: GCC otherwise copies it to another one, and runs out of registers.
inline void add_to(__m256i& sum, __m256i products) { asm("vpaddd %1, %0, %0" : "+x"(sum) : "x"(products)); }

void multiply(const uint8_t* row_panel, const uint8_t* column_panel, int depth, int32_t* products, bool add) {
    __m256i sums[panel_rows][2];
#pragma GCC unroll 6
    for (int row = 0; row < panel_rows; ++row)
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half)
            sums[row][half] = add ? _mm256_loadu_si256(
                                        reinterpret_cast<const __m256i*>(products + row * panel_columns + half * 8))
                                  : _mm256_setzero_si256();
    for (int k = 0; k < depth; k += 2, row_panel += panel_rows * 4, column_panel += panel_columns * 4) {
        const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(column_panel));
        const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(column_panel + 32));
#pragma GCC unroll 6
        for (int row = 0; row < panel_rows; ++row) {
            int32_t pair;
            std::memcpy(&pair, row_panel + row * 4, sizeof pair);
            const __m256i both = _mm256_set1_epi32(pair);
            add_to(sums[row][0], _mm256_madd_epi16(both, low));
            add_to(sums[row][1], _mm256_madd_epi16(both, high));
        }
    }
#pragma GCC unroll 6
    for (int row = 0; row < panel_rows; ++row)
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(products + row * panel_columns + half * 8), sums[row][half]);
}

const Kernel kernel{
    "avx2",
    panel_rows,
    panel_columns,
    nothing,
    nothing,
    row_panel_bytes,
    column_panel_bytes,
    pack<panel_rows>,
    pack<panel_columns>,
    multiply,
    scan_tile<panel_rows, panel_columns>,
    keep_smallest_tile<panel_columns>,
    direct_u8,
    direct_float<float>,
    direct_float<double>,
};

}  // namespace

const Kernel* const avx2_kernel = &kernel;
#else
const Kernel* const avx2_kernel = nullptr;
#endif

}  // namespace gantk::knn
