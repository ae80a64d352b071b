// Floats rounded to a grid of bytes, and how far each point is from its place there.
#pragma once

#include <cstdint>
#include <vector>

namespace gantk::knn {

struct Grid {
    double step;
    std::vector<double> offset;  // of each dimension; place = offset + step · byte
};

// A grid for these points, [count, dim], finite. Where a few points lie far outside, it is made for the others.
template <typename T>
Grid grid_for(const T* points, int64_t count, int64_t dim, int threads);

struct Rows {
    std::vector<uint8_t> bytes;  // [count, dim]
    std::vector<double> errors;  // [count]: with a margin for the arithmetic, an upper bound of the Euclidean distance from the point to its place
};

template <typename T>
Rows round_to(const Grid& grid, const T* points, int64_t count, double margin, int threads);

// The error that all but few points stay below; those few are marked.
double common_error(const std::vector<double>& errors, std::vector<uint32_t>& beyond, std::vector<uint8_t>& marks);

}  // namespace gantk::knn
