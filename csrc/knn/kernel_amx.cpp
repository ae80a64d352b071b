// AMX: one instruction makes 16 × 16 products over 64 unsigned bytes; two by two tiles at a time.
#include "loops.h"

#ifdef __AMX_INT8__
#include <cstring>

#include "loops_avx512.h"
#endif

namespace gantk::knn {

#ifdef __AMX_INT8__
namespace {

constexpr int panel_rows = 32, tile = 16, tile_bytes = 1024, step = 64;

size_t panel_bytes(int depth) { return static_cast<size_t>(depth) * panel_rows; }

// A constant in memory: GCC believes that _tile_loadconfig reads eight bytes only, and drops other stores to a local.
struct alignas(64) Config {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr Config config;

void enter() { _tile_loadconfig(&config); }

void leave() { _tile_release(); }

// [depth / 64][2 tiles][16 points][64]
void pack_rows(const uint8_t* points, size_t stride, int depth, uint8_t* panel) {
    for (int k = 0; k < depth; k += step)
        for (int point = 0; point < panel_rows; ++point, panel += step)
            std::memcpy(panel, points + static_cast<size_t>(point) * stride + k, step);
}

// [depth / 64][2 tiles][16 groups of four][16 points][4]
void pack_columns(const uint8_t* points, size_t stride, int depth, uint8_t* panel) {
    for (int k = 0; k < depth; k += step)
        for (int first = 0; first < vector_columns; first += tile)
            for (int group = 0; group < step; group += 4)
                for (int point = 0; point < tile; ++point, panel += 4)
                    std::memcpy(panel, points + static_cast<size_t>(first + point) * stride + k + group, 4);
}

void multiply(const uint8_t* row_panel, const uint8_t* column_panel, int depth, int32_t* products, bool add) {
    constexpr int pitch = vector_columns * sizeof(int32_t);
    if (add) {
        _tile_loadd(0, products, pitch);
        _tile_loadd(1, products + tile, pitch);
        _tile_loadd(2, products + tile * vector_columns, pitch);
        _tile_loadd(3, products + tile * vector_columns + tile, pitch);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int k = 0; k < depth; k += step, row_panel += 2 * tile_bytes, column_panel += 2 * tile_bytes) {
        // Streamed, since the L1 cache does not hold two panels and the column panel is used again.
        _tile_stream_loadd(4, row_panel, step);
        _tile_stream_loadd(5, row_panel + tile_bytes, step);
        _tile_loadd(6, column_panel, step);
        _tile_loadd(7, column_panel + tile_bytes, step);
        _tile_dpbuud(0, 4, 6);
        _tile_dpbuud(1, 4, 7);
        _tile_dpbuud(2, 5, 6);
        _tile_dpbuud(3, 5, 7);
    }
    _tile_stored(0, products, pitch);
    _tile_stored(1, products + tile, pitch);
    _tile_stored(2, products + tile * vector_columns, pitch);
    _tile_stored(3, products + tile * vector_columns + tile, pitch);
}

const Kernel kernel{
    "amx",
    panel_rows,
    vector_columns,
    enter,
    leave,
    panel_bytes,
    panel_bytes,
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

const Kernel* const amx_kernel = &kernel;
#else
const Kernel* const amx_kernel = nullptr;
#endif

}  // namespace gantk::knn
