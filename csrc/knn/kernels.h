// The inner loops of the search, one table of functions for each instruction set.
//
// Points are uint8 vectors, padded with zeros to `depth` bytes, a multiple of 64. A panel is `rows` or `columns` points
// in the order in which the instruction set multiplies them; a tile is the rows × columns products of two panels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gantk::knn {

// One side of a tile. A pair is near enough for a point where its squared distance is at most the point's limit:
//   |a|² + |b|² − 2ab ≤ limit(a)   ⟸ implies   ab ≥ half(b) + bar(a),
// with half = floor(|x|² / 2) and bar = floor((|x|² − limit) / 2): four instructions for a vector of pairs. The few that
// pass are compared exactly. norm may wrap where two are added; a distance never does, being below 2³¹.
struct Side {
    const int32_t* norm;
    const int32_t* half;
    const int32_t* bar;
    const int32_t* limit;
};

// Pairs that were near enough: `owner` has `other` within its limit, both counted from the start of their blocks.
struct Hits {
    uint32_t* owner;
    uint32_t* other;
    int32_t* distance;  // squared
    size_t count;
};

// Where a tile lies in its block. In a block on the diagonal of a self-search, only pairs with column > row count.
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
    // smallest[rank * stride + column], ascending over ranks: takes the tile's squared distances in. `self` is the row,
    // counted from the tile's first, that is the tile's first column's own point; it is left out, as are its followers.
    void (*keep_smallest)(const int32_t* products, const int32_t* row_norms, const int32_t* column_norms, int rows,
                          int64_t self, int ranks, size_t stride, int32_t* smallest);
    // Squared distances by direct differences.
    uint64_t (*direct_u8)(const uint8_t* a, const uint8_t* b, size_t size);
    double (*direct_f32)(const float* a, const float* b, size_t size);
    double (*direct_f64)(const double* a, const double* b, size_t size);
};

// Null where the compiler did not know the instruction set.
extern const Kernel* const portable_kernel;
extern const Kernel* const avx2_kernel;
extern const Kernel* const avx512vnni_kernel;
extern const Kernel* const amx_kernel;

}  // namespace gantk::knn
