// What the integers that a search compares prove about the requested distances.
#pragma once

#include <climits>
#include <cmath>
#include <cstdint>
#include <vector>

namespace gantk::knn {

// A search compares points of bytes by 32-bit integers, called screens. Up to 33,024 dimensions, a screen is the squared
// distance. Beyond, norms and each slice's inner product are shifted right before they are added, so that
//   squared / 2^shift − 2 < screen < squared / 2^shift + 2 slices.
struct Scale {
    int shift, slices;
    double squared_at_most(int32_t screen) const { return shift ? std::ldexp(screen + 2.0, shift) : screen; }
    int32_t screen_at_most(double squared) const {
        const double screen = shift ? std::ldexp(squared, -shift) + 2.0 * slices : squared;
        return screen < INT_MAX ? static_cast<int32_t>(screen) : INT_MAX;
    }
};

// Bounds between screens and the requested distances. If the two are not the same, references that can be among the nearest
// are measured directly.
class Screen {
  public:
    virtual ~Screen() = default;
    virtual bool exact() const { return false; }
    // A limit that no nearest neighbor's screen exceeds, given that k screens are at most `screen`.
    virtual int32_t limit_after(int32_t screen, uint32_t query) const = 0;
    // The same, given that k squared distances are at most `squared`.
    virtual int32_t limit_proven(double squared, uint32_t query) const = 0;
    virtual double squared_distance(uint32_t query, uint32_t reference) const = 0;
    virtual void prefetch(uint32_t reference) const = 0;  // called before it is measured
    // References without valid screens, which are measured for every query. `outside[reference]` marks them.
    std::vector<uint32_t> unscreened;
    std::vector<uint8_t> outside;
};

template <typename T>
void prefetch_row(const T* row, size_t dim) {
    const char* const first = reinterpret_cast<const char*>(row);
    const size_t size = dim * sizeof(T) < 4096 ? dim * sizeof(T) : 4096;  // the processor prefetches the rest itself
    for (size_t line = 0; line < size; line += 64) __builtin_prefetch(first + line);
}

// Bytes whose screens are their squared distances.
class Exact final : public Screen {
  public:
    bool exact() const override { return true; }
    int32_t limit_after(int32_t screen, uint32_t) const override { return screen; }
    int32_t limit_proven(double squared, uint32_t) const override { return static_cast<int32_t>(squared); }
    double squared_distance(uint32_t, uint32_t) const override { return 0; }  // never called
    void prefetch(uint32_t) const override {}
};

// Bytes with more than 33,024 dimensions, whose screens are shifted.
class Shifted final : public Screen {
  public:
    using Direct = uint64_t (*)(const uint8_t*, const uint8_t*, size_t);
    Shifted(const uint8_t* queries, const uint8_t* references, size_t dim, Scale scale, Direct direct)
        : queries_(queries), references_(references), dim_(dim), scale_(scale), direct_(direct) {}
    int32_t limit_after(int32_t screen, uint32_t) const override {
        return scale_.screen_at_most(scale_.squared_at_most(screen));
    }
    int32_t limit_proven(double squared, uint32_t) const override { return scale_.screen_at_most(squared); }
    double squared_distance(uint32_t query, uint32_t reference) const override {
        return static_cast<double>(direct_(queries_ + query * dim_, references_ + reference * dim_, dim_));
    }
    void prefetch(uint32_t reference) const override { prefetch_row(references_ + reference * dim_, dim_); }

  private:
    const uint8_t *queries_, *references_;
    size_t dim_;
    Scale scale_;
    Direct direct_;
};

// Floats rounded to a grid of bytes: by the triangle inequality, |distance − step · distance on the grid| is at most the
// sum of both points' rounding errors. References with a larger error than `reference_error` have no valid screens.
template <typename T>
class Rounded final : public Screen {
  public:
    using Direct = double (*)(const T*, const T*, size_t);
    Rounded(const T* queries, const T* references, size_t dim, Scale scale, double step, const double* query_errors,
            double reference_error, double rounding, Direct direct)
        : queries_(queries), references_(references), dim_(dim), scale_(scale), step_(step), errors_(query_errors),
          reference_error_(reference_error), rounding_(rounding), direct_(direct) {}
    int32_t limit_after(int32_t screen, uint32_t query) const override {
        return limit(std::sqrt(scale_.squared_at_most(screen)) * step_ + 2 * slack(query));
    }
    int32_t limit_proven(double squared, uint32_t query) const override {
        return limit(std::sqrt(squared) + slack(query));
    }
    double squared_distance(uint32_t query, uint32_t reference) const override {
        return direct_(queries_ + query * dim_, references_ + reference * dim_, dim_);
    }
    void prefetch(uint32_t reference) const override { prefetch_row(references_ + reference * dim_, dim_); }

  private:
    double slack(uint32_t query) const { return errors_[query] + reference_error_; }
    int32_t limit(double distance) const {
        const double steps = distance / step_;
        return scale_.screen_at_most(steps * steps * (1 + rounding_) + 1);
    }
    const T *queries_, *references_;
    size_t dim_;
    Scale scale_;
    double step_;
    const double* errors_;
    double reference_error_;
    double rounding_;  // an upper bound of the relative error of the arithmetic
    Direct direct_;
};

}  // namespace gantk::knn
