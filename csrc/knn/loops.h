// Loops that each instruction set's file compiles for itself and the compiler vectorizes. Internal linkage only: of a
// function with external linkage, the linker could keep the copy of an instruction set that this machine does not have.
#pragma once

#include <climits>

#include "kernels.h"

namespace gantk::knn {
namespace {

constexpr int lanes = 16;

[[maybe_unused]] void nothing() {}

[[maybe_unused]] void append(Hits& hits, uint32_t owner, uint32_t other, int32_t distance) {
    hits.owner[hits.count] = owner;
    hits.other[hits.count] = other;
    hits.distance[hits.count] = distance;
    ++hits.count;
}

[[maybe_unused]] inline int32_t squared_distance(int32_t a, int32_t b, int32_t product) {
    return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b) - 2u * static_cast<uint32_t>(product));
}

[[maybe_unused]] void scan_row(const int32_t* products, int row, int columns, const Side& rows, const Side& cols,
                               Place place, Hits& of_rows, Hits& of_columns) {
    const uint32_t global_row = place.row + static_cast<uint32_t>(row);
    for (int column = 0; column < columns; ++column) {
        const uint32_t global_column = place.column + static_cast<uint32_t>(column);
        if (place.diagonal && global_column <= global_row) continue;
        const int32_t distance = squared_distance(rows.norm[row], cols.norm[column], products[column]);
        if (distance <= rows.limit[row]) append(of_rows, global_row, global_column, distance);
        if (distance <= cols.limit[column]) append(of_columns, global_column, global_row, distance);
    }
}

template <int Rows, int Columns>
void scan_tile(const int32_t* products, const Side& rows, const Side& cols, Place place, Hits& of_rows,
               Hits& of_columns) {
    for (int row = 0; row < Rows; ++row, products += Columns) {
        const int32_t bar = rows.bar[row], half = rows.half[row];
        int32_t near = 0;
        for (int column = 0; column < Columns; ++column) {
            const int32_t for_row = cols.half[column] + bar, for_column = cols.bar[column] + half;
            near |= products[column] >= (for_row < for_column ? for_row : for_column);
        }
        if (near) scan_row(products, row, Columns, rows, cols, place, of_rows, of_columns);
    }
}

template <int Columns>
void keep_smallest_tile(const int32_t* products, const int32_t* row_norms, const int32_t* column_norms, int rows,
                        int64_t self, int ranks, size_t stride, int32_t* smallest) {
    for (int row = 0; row < rows; ++row, products += Columns) {
        int32_t distances[Columns];
        const int32_t* last = smallest + static_cast<size_t>(ranks - 1) * stride;
        for (int column = 0; column < Columns; ++column)
            distances[column] = squared_distance(row_norms[row], column_norms[column], products[column]);
        if (row >= self && row - self < Columns) distances[row - self] = INT_MAX;
        int32_t near = 0;
        for (int column = 0; column < Columns; ++column) near |= distances[column] < last[column];
        if (!near) continue;
        for (int rank = 0; rank < ranks; ++rank) {
            int32_t* kept = smallest + static_cast<size_t>(rank) * stride;
            for (int column = 0; column < Columns; ++column) {
                const int32_t low = kept[column] < distances[column] ? kept[column] : distances[column];
                distances[column] = kept[column] < distances[column] ? distances[column] : kept[column];
                kept[column] = low;
            }
        }
    }
}

[[maybe_unused]] uint64_t direct_u8(const uint8_t* a, const uint8_t* b, size_t size) {
    uint64_t sum = 0;
    while (size > 0) {
        const size_t chunk = size < 32768 ? size : 32768;  // 32768 · 255² stays below 2³²
        uint32_t partial = 0;
        for (size_t i = 0; i < chunk; ++i) {
            const int32_t difference = static_cast<int32_t>(a[i]) - static_cast<int32_t>(b[i]);
            partial += static_cast<uint32_t>(difference * difference);
        }
        sum += partial;
        a += chunk, b += chunk, size -= chunk;
    }
    return sum;
}

template <typename T>
double direct_float(const T* a, const T* b, size_t size) {
    double sums[lanes] = {};
    size_t i = 0;
    for (; i + lanes <= size; i += lanes)
        for (int lane = 0; lane < lanes; ++lane) {
            const double difference = static_cast<double>(a[i + lane]) - static_cast<double>(b[i + lane]);
            sums[lane] += difference * difference;
        }
    for (int lane = 0; i < size; ++i, ++lane) {
        const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sums[lane] += difference * difference;
    }
    for (int width = lanes / 2; width > 0; width /= 2)
        for (int lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
    return sums[0];
}

}  // namespace
}  // namespace gantk::knn
