// Floats rounded to a grid of bytes, and the distance of each point from its rounded place.
#pragma once

#include <cstdint>
#include <vector>

namespace gantk::knn {

struct Grid {
    double step;
    std::vector<double> offset;  // per dimension; rounded value = offset + step · byte
};

// Throws if a value is not finite, or so large that sums of squares are not.
template <typename T>
void check_values(const T* points, int64_t count, int64_t dim, int threads);

// A grid for finite points [count, dim]. A few outliers do not widen it.
template <typename T>
Grid grid_for(const T* points, int64_t count, int64_t dim, int threads);

struct Rows {
    std::vector<uint8_t> bytes;  // [count, dim]
    std::vector<double> errors;  // [count]: upper bound of the Euclidean distance from the point to its rounded place, rounding errors included
};

template <typename T>
Rows round_to(const Grid& grid, const T* points, int64_t count, double margin, int threads);

// An error that all but a few points stay below; those few are marked.
double common_error(const std::vector<double>& errors, std::vector<uint32_t>& beyond, std::vector<uint8_t>& marks);

}  // namespace gantk::knn
