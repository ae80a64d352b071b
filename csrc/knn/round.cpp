#include "round.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <random>
#include <stdexcept>

#include "../parallel.h"

namespace gantk::knn {

namespace {

struct Extent {
    std::vector<double> low, high;
    explicit Extent(int64_t dim)
        : low(dim, std::numeric_limits<double>::infinity()), high(dim, -std::numeric_limits<double>::infinity()) {}
};

template <typename T>
Extent extent_of(const T* points, int64_t count, int64_t dim, int threads) {
    Extent all(dim);
    std::mutex guard;
    const int64_t share = std::max<int64_t>(16, (int64_t{1} << 20) / dim);
    parallel_for(threads, (count + share - 1) / share, [&](int64_t part, int) {
        Extent own(dim);
        for (int64_t i = part * share; i < std::min(count, (part + 1) * share); ++i)
            for (int64_t k = 0; k < dim; ++k) {
                const double value = static_cast<double>(points[i * dim + k]);
                own.low[k] = std::min(own.low[k], value);
                own.high[k] = std::max(own.high[k], value);
            }
        const std::lock_guard<std::mutex> lock(guard);
        for (int64_t k = 0; k < dim; ++k) {
            all.low[k] = std::min(all.low[k], own.low[k]);
            all.high[k] = std::max(all.high[k], own.high[k]);
        }
    });
    return all;
}

// The value of byte 0: the lowest value if the range fits, so that data that is already on a grid is not changed; otherwise
// the bytes are centered on the middle of the values.
double offset_of(double low, double high, double middle, double step) {
    if (high - low <= 255 * step * (1 + 1e-6)) return low;
    return std::clamp(middle - 127.5 * step, low, high - 255 * step);
}

struct Place {
    double byte, error;
};

// The nearest integer of a number from 0 to 255, without the function call of `nearbyint`.
double nearest_integer(double value) {
    constexpr double units = 1.5 * (int64_t{1} << 52);  // doubles of this size have no fractional digits
    return (value + units) - units;
}

// Subtracts first: offset + byte · step would lose digits if the offset is large.
Place place_of(double value, double offset, double step) {
    const double above = value - offset;
    const double byte = nearest_integer(std::clamp(above / step, 0.0, 255.0));
    return {byte, above - byte * step};
}

double median_of(std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

// A sample of values and dimensions for choosing the step. Nothing that is proved depends on it.
struct Sample {
    std::vector<int64_t> points, dims;
    std::vector<std::vector<double>> values;  // [dimension][point]
    std::vector<double> medians;              // [dimension]
    double range = 0;                         // largest range of a dimension, without the most extreme values

    template <typename T>
    Sample(const T* from, int64_t count, int64_t dim) {
        std::mt19937_64 random(0);
        points.resize(static_cast<size_t>(std::min<int64_t>(count, 1024)));
        dims.resize(static_cast<size_t>(std::min<int64_t>(dim, 1024)));
        for (int64_t& point : points) point = static_cast<int64_t>(random() % static_cast<uint64_t>(count));
        for (size_t i = 0; i < dims.size(); ++i)
            dims[i] = static_cast<int64_t>(dims.size()) == dim
                          ? static_cast<int64_t>(i)
                          : static_cast<int64_t>(random() % static_cast<uint64_t>(dim));
        for (const int64_t k : dims) {
            values.emplace_back();
            for (const int64_t point : points) values.back().push_back(static_cast<double>(from[point * dim + k]));
            std::vector<double> sorted = values.back();
            std::sort(sorted.begin(), sorted.end());
            const size_t trimmed = sorted.size() / 512;
            range = std::max(range, sorted[sorted.size() - 1 - trimmed] - sorted[trimmed]);
            medians.push_back(sorted[sorted.size() / 2]);
        }
    }

    // The squared error that all but two points in a thousand stay below with this step.
    double error(const Extent& extent, double step) const {
        std::vector<double> squares(points.size());
        for (size_t k = 0; k < dims.size(); ++k) {
            const double offset = offset_of(extent.low[dims[k]], extent.high[dims[k]], medians[k], step);
            for (size_t i = 0; i < points.size(); ++i) {
                const double error = place_of(values[k][i], offset, step).error;
                squares[i] += error * error;
            }
        }
        std::sort(squares.begin(), squares.end());
        return squares[squares.size() - 1 - squares.size() / 512];
    }
};

// For smaller ranges, squares of differences could underflow to 0.
constexpr double smallest_range = 1e-140;

}  // namespace

template <typename T>
Grid grid_for(const T* points, int64_t count, int64_t dim, int threads) {
    Extent extent = extent_of(points, count, dim, threads);
    double range = 0;
    for (int64_t k = 0; k < dim; ++k) range = std::max(range, extent.high[k] - extent.low[k]);
    if (range < smallest_range) return {1.0, std::move(extent.low)};
    const Sample sample(points, count, dim);
    double best = range / 255, least = sample.error(extent, best);
    if (sample.range >= smallest_range)
        for (double step = sample.range / 127; step > sample.range / 8192; step /= std::sqrt(2.0))
            if (const double error = sample.error(extent, step); error < least) least = error, best = step;
    Grid grid{best, std::vector<double>(static_cast<size_t>(dim))};
    parallel_for(threads, (dim + 1023) / 1024, [&](int64_t part, int) {
        std::vector<double> values;
        for (int64_t k = part * 1024; k < std::min(dim, (part + 1) * 1024); ++k) {
            values.clear();
            for (size_t i = 0; i < std::min<size_t>(sample.points.size(), 65); ++i)
                values.push_back(static_cast<double>(points[sample.points[i] * dim + k]));
            grid.offset[k] = offset_of(extent.low[k], extent.high[k], median_of(values), best);
        }
    });
    return grid;
}

template <typename T>
void check_values(const T* points, int64_t count, int64_t dim, int threads) {
    constexpr double largest = 1e150;  // LARGEST in gantk/ops/knn/distances.py
    constexpr int64_t share = 1 << 16;
    parallel_for(threads, (count * dim + share - 1) / share, [&](int64_t part, int) {
        bool fine = true;
        for (int64_t i = part * share; i < std::min(count * dim, (part + 1) * share); ++i)
            fine &= std::abs(static_cast<double>(points[i])) <= largest;  // false for NaN
        if (!fine) throw std::invalid_argument("points contain values that are not finite or are above 1e150");
    });
}

template <typename T>
Rows round_to(const Grid& grid, const T* points, int64_t count, double margin, int threads) {
    const size_t dim = grid.offset.size();
    Rows rows{std::vector<uint8_t>(static_cast<size_t>(count) * dim), std::vector<double>(static_cast<size_t>(count))};
    constexpr int64_t share = 256;
    parallel_for(threads, (count + share - 1) / share, [&](int64_t part, int) {
        for (int64_t i = part * share; i < std::min(count, (part + 1) * share); ++i) {
            double squares = 0;
            for (size_t k = 0; k < dim; ++k) {
                const double value = static_cast<double>(points[static_cast<size_t>(i) * dim + k]);
                const Place place = place_of(value, grid.offset[k], grid.step);
                rows.bytes[static_cast<size_t>(i) * dim + k] = static_cast<uint8_t>(place.byte);
                squares += place.error * place.error;
            }
            rows.errors[i] = std::sqrt(squares) * (1 + margin) + grid.step * margin;
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

template void check_values(const float*, int64_t, int64_t, int);
template void check_values(const double*, int64_t, int64_t, int);
template Grid grid_for(const float*, int64_t, int64_t, int);
template Grid grid_for(const double*, int64_t, int64_t, int);
template Rows round_to(const Grid&, const float*, int64_t, double, int);
template Rows round_to(const Grid&, const double*, int64_t, double, int);

}  // namespace gantk::knn
