// The inner loops of the search, one table of functions for each instruction set.
//
// Points are uint8 vectors, padded with zeros to `depth` bytes, a multiple of 64. A panel is `rows` or `columns` points
// in the order in which the instruction set multiplies them; a tile is the rows × columns products of two panels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gantk::knn {

// One side of a tile. A pair passes for a point if its squared distance is at most the point's limit:
//   |a|² + |b|² − 2ab ≤ limit(a)   ⟸ implies   ab ≥ half(b) + bar(a),
// with half = floor(|x|² / 2) and bar = floor((|x|² − limit) / 2). This test takes four instructions per vector of pairs;
// the few that pass are compared exactly. A sum of two norms may wrap around; a distance, below 2³¹, does not.
struct Side {
    const int32_t* norm;
    const int32_t* half;
    const int32_t* bar;
    const int32_t* limit;
};

// Pairs that passed: `other` is within the limit of `owner`. Both are counted from the start of their blocks.
struct Hits {
    uint32_t* owner;
    uint32_t* other;
    int32_t* distance;  // squared
    size_t count;
};

// A tile's place in its block. On the diagonal of a self-search, only pairs with column > row count.
struct Place {
    uint32_t row;
    uint32_t column;
    bool diagonal;
};

struct Kernel {
    const char* name;
    int rows;
    int columns;
    void (*enter)();  // before a thread's first tile, and after its last
    void (*leave)();
    size_t (*row_panel_bytes)(int depth);
    size_t (*column_panel_bytes)(int depth);
    void (*pack_rows)(const uint8_t* points, size_t stride, int depth, uint8_t* panel);
    void (*pack_columns)(const uint8_t* points, size_t stride, int depth, uint8_t* panel);
    // products[row * columns + column] = or += the inner products over `depth` bytes.
    void (*multiply)(const uint8_t* row_panel, const uint8_t* column_panel, int depth, int32_t* products, bool add);
    // Appends at most rows × columns hits to each.
    void (*scan)(const int32_t* products, const Side& rows, const Side& columns, Place place, Hits& of_rows,
                 Hits& of_columns);
    // Inserts the tile's squared distances into smallest[rank * stride + column], ascending over ranks. Row self + c, counted
    // from the tile's first, is the same point as column c; such pairs are skipped.
    void (*keep_smallest)(const int32_t* products, const int32_t* row_norms, const int32_t* column_norms, int rows,
                          int64_t self, int ranks, size_t stride, int32_t* smallest);
    // Squared distances by direct differences.
    uint64_t (*direct_u8)(const uint8_t* a, const uint8_t* b, size_t size);
    double (*direct_f32)(const float* a, const float* b, size_t size);
    double (*direct_f64)(const double* a, const double* b, size_t size);
};

// Null if the compiler does not support the instruction set.
extern const Kernel* const portable_kernel;
extern const Kernel* const avx2_kernel;
extern const Kernel* const avx512vnni_kernel;
extern const Kernel* const amx_kernel;

}  // namespace gantk::knn
