#include "round.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <random>

#include "../parallel.h"

namespace gantk::knn {

namespace {

struct Extent {
    std::vector<double> low, high, sum;
    explicit Extent(int64_t dim)
        : low(dim, std::numeric_limits<double>::infinity()), high(dim, -std::numeric_limits<double>::infinity()),
          sum(dim, 0) {}
};

template <typename T>
Extent extent_of(const T* points, int64_t count, int64_t dim, int threads) {
    Extent all(dim);
    std::mutex guard;
    constexpr int64_t share = 4096;
    parallel_for(threads, (count + share - 1) / share, [&](int64_t part, int) {
        Extent own(dim);
        for (int64_t i = part * share; i < std::min(count, (part + 1) * share); ++i)
            for (int64_t k = 0; k < dim; ++k) {
                const double value = static_cast<double>(points[i * dim + k]);
                own.low[k] = std::min(own.low[k], value);
                own.high[k] = std::max(own.high[k], value);
                own.sum[k] += value;
            }
        const std::lock_guard<std::mutex> lock(guard);
        for (int64_t k = 0; k < dim; ++k) {
            all.low[k] = std::min(all.low[k], own.low[k]);
            all.high[k] = std::max(all.high[k], own.high[k]);
            all.sum[k] += own.sum[k];
        }
    });
    return all;
}

// The lowest value's place is byte 0 where the range fits, which leaves data that is on a grid already as it is.
Grid grid_of(const Extent& extent, int64_t count, double step) {
    Grid grid{step, extent.low};
    for (size_t k = 0; k < grid.offset.size(); ++k)
        if (extent.high[k] - extent.low[k] > 255 * step * (1 + 1e-6)) {
            const double middle = extent.sum[k] / static_cast<double>(count);
            grid.offset[k] = std::clamp(middle - 127.5 * step, extent.low[k], extent.high[k] - 255 * step);
        }
    return grid;
}

template <typename T>
double round_point(const Grid& grid, const T* point, uint8_t* bytes) {
    double squares = 0;
    for (size_t k = 0; k < grid.offset.size(); ++k) {
        const double value = static_cast<double>(point[k]);
        const double place = std::clamp(std::nearbyint((value - grid.offset[k]) / grid.step), 0.0, 255.0);
        const double error = value - (grid.offset[k] + place * grid.step);
        squares += error * error;
        if (bytes) bytes[k] = static_cast<uint8_t>(place);
    }
    return std::sqrt(squares);
}

}  // namespace

template <typename T>
Grid grid_for(const T* points, int64_t count, int64_t dim, int threads) {
    const Extent extent = extent_of(points, count, dim, threads);
    double range = 0;
    for (int64_t k = 0; k < dim; ++k) range = std::max(range, extent.high[k] - extent.low[k]);
    if (range == 0) return {1.0, extent.low};
    std::mt19937_64 random(0);
    std::vector<int64_t> sample(std::min<int64_t>(count, 1024));
    for (int64_t& point : sample) point = static_cast<int64_t>(random() % static_cast<uint64_t>(count));
    Grid best;
    double least = std::numeric_limits<double>::infinity();
    for (double step = range / 255; step > range / 65536; step /= std::sqrt(2.0)) {
        Grid grid = grid_of(extent, count, step);
        std::vector<double> errors;
        for (const int64_t point : sample) errors.push_back(round_point(grid, points + point * dim, nullptr));
        std::sort(errors.begin(), errors.end());
        const double error = errors[errors.size() - 1 - errors.size() / 512];  // but for two in a thousand
        if (error < least) least = error, best = std::move(grid);
    }
    return best;
}

template <typename T>
Rows round_to(const Grid& grid, const T* points, int64_t count, int threads) {
    const size_t dim = grid.offset.size();
    Rows rows{std::vector<uint8_t>(static_cast<size_t>(count) * dim), std::vector<double>(static_cast<size_t>(count))};
    constexpr int64_t share = 256;
    parallel_for(threads, (count + share - 1) / share, [&](int64_t part, int) {
        for (int64_t i = part * share; i < std::min(count, (part + 1) * share); ++i) {
            const double error = round_point(grid, points + static_cast<size_t>(i) * dim, rows.bytes.data() + i * dim);
            rows.errors[i] = error * (1 + 1e-6) + grid.step * 1e-6;
        }
    });
    return rows;
}

double common_error(const std::vector<double>& errors, std::vector<uint32_t>& beyond, std::vector<uint8_t>& marks) {
    std::vector<double> sorted = errors;
    const size_t place = sorted.size() - 1 - sorted.size() / 512;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<int64_t>(place), sorted.end());
    const double highest = *std::max_element(errors.begin(), errors.end());
    if (highest <= 1.5 * sorted[place]) return highest;
    marks.assign(errors.size(), 0);
    for (size_t i = 0; i < errors.size(); ++i)
        if (errors[i] > sorted[place]) {
            marks[i] = 1;
            beyond.push_back(static_cast<uint32_t>(i));
        }
    return sorted[place];
}

template Grid grid_for(const float*, int64_t, int64_t, int);
template Grid grid_for(const double*, int64_t, int64_t, int);
template Rows round_to(const Grid&, const float*, int64_t, int);
template Rows round_to(const Grid&, const double*, int64_t, int);

}  // namespace gantk::knn
