// For any processor: plain loops, vectorized by the compiler.
#include <cstring>

#include "loops.h"

namespace gantk::knn {
namespace {

constexpr int panel_rows = 4, panel_columns = 16;

size_t row_panel_bytes(int depth) { return static_cast<size_t>(depth) * panel_rows; }
size_t column_panel_bytes(int depth) { return static_cast<size_t>(depth) * panel_columns; }

template <int Points>
void pack(const uint8_t* points, size_t stride, int depth, uint8_t* panel) {
    for (int k = 0; k < depth; ++k)
        for (int point = 0; point < Points; ++point) *panel++ = points[static_cast<size_t>(point) * stride + k];
}

void multiply(const uint8_t* row_panel, const uint8_t* column_panel, int depth, int32_t* products, bool add) {
    int32_t sums[panel_rows][panel_columns] = {};
    if (add) std::memcpy(sums, products, sizeof sums);
    for (int k = 0; k < depth; ++k, row_panel += panel_rows, column_panel += panel_columns)
        for (int row = 0; row < panel_rows; ++row)
            for (int column = 0; column < panel_columns; ++column)
                sums[row][column] += static_cast<int32_t>(row_panel[row]) * static_cast<int32_t>(column_panel[column]);
    std::memcpy(products, sums, sizeof sums);
}

const Kernel kernel{
    "portable",
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

const Kernel* const portable_kernel = &kernel;

}  // namespace gantk::knn
