// The kernels, compiled once for each instruction set; nothing is shared between them, as explained in vectors.h.
#pragma once

#include "losses/elements.h"
#include "losses/halves.h"
#include "losses/kernels.h"
#include "losses/vectors.h"

namespace gantk::losses {
namespace {

// The sign of x, 0 at 0.
template <typename V>
GANTK_INLINE V sign(V x) {
    return x > 0 ? V{} + 1 : x < 0 ? V{} - 1 : V{};
}

struct Square {
    template <typename V>
    static GANTK_INLINE V value(V a, V b) {
        return (a - b) * (a - b);
    }
    template <typename V>
    static GANTK_INLINE void gradient(V a, V b, V scale, V& of_a, V& of_b) {
        of_a = (scale + scale) * (a - b);
        of_b = -of_a;
    }
};

struct Absolute {
    template <typename V>
    static GANTK_INLINE V value(V a, V b) {
        return magnitude(a - b);
    }
    template <typename V>
    static GANTK_INLINE void gradient(V a, V b, V scale, V& of_a, V& of_b) {
        of_a = scale * sign(a - b);
        of_b = -of_a;
    }
};

struct CrossEntropy {
    template <typename V>
    static GANTK_INLINE V clamped(V p) {
        using S = __typeof__(+p[0]);
        const V low = all(static_cast<S>(kSmallest)), high = all(static_cast<S>(1 - kSmallest));
        return p < low ? low : p > high ? high : p;
    }
    template <typename V>
    static GANTK_INLINE V value(V a, V b) {
        const V p = clamped((a + 1) / 2), t = (b + 1) / 2;
        return -(t * log(p) + (1 - t) * log1p(-p));
    }
    template <typename V>
    static GANTK_INLINE void gradient(V a, V b, V scale, V& of_a, V& of_b) {
        const V raw = (a + 1) / 2, p = clamped(raw), t = (b + 1) / 2, half = scale / 2;
        of_a = raw == p ? half * ((1 - t) / (1 - p) - t / p) : V{};
        of_b = half * (log1p(-p) - log(p));
    }
};

struct Divergence {
    template <typename V>
    static GANTK_INLINE V value(V a, V b) {
        return (a * a + expm1(b) - b) / 2;
    }
    template <typename V>
    static GANTK_INLINE void gradient(V a, V b, V scale, V& of_a, V& of_b) {
        of_a = scale * a;
        of_b = scale * expm1(b) / 2;
    }
};

constexpr int kPartialSums = 64;

// Adds the partial sums in a fixed order.
template <typename S>
GANTK_INLINE double combined(const S* partial) {
    double total = 0;
    for (int i = 0; i < 16; ++i) total += (partial[i] + partial[i + 16]) + (partial[i + 32] + partial[i + 48]);
    return total;
}

// The last elements of a block, padded with zeros to a stripe of kPartialSums.
template <typename S>
struct Padded {
    S values[kPartialSums] = {};
    Padded(const S* from, int64_t n) {
        for (int64_t i = 0; i < n; ++i) values[i] = from[i];
    }
};

template <typename F, typename E>
double sum(const void* of_a, const void* of_b, int64_t n) {
    using S = typename E::Number;
    using V = Vector<S>;
    const auto* a = static_cast<const typename E::Stored*>(of_a);
    const auto* b = static_cast<const typename E::Stored*>(of_b);
    constexpr int kStep = kLanes<S>, kVectors = kPartialSums / kStep;
    V sums[kVectors] = {};
    int64_t i = 0;
    for (; i + kPartialSums <= n; i += kPartialSums) {
        prefetch(a + i, kPartialSums);
        prefetch(b + i, kPartialSums);
#pragma GCC unroll 32
        for (int k = 0; k < kVectors; ++k) {
            sums[k] += F::value(E::read(a + i + k * kStep), E::read(b + i + k * kStep));
        }
    }
    S partial[kPartialSums];
    for (int k = 0; k < kVectors; ++k) store(partial + k * kStep, sums[k]);
    if (i < n) {
        const Padded<typename E::Stored> rest_a(a + i, n - i), rest_b(b + i, n - i);
        S found[kPartialSums];
        for (int k = 0; k < kPartialSums; k += kStep) {
            store(found + k, F::value(E::read(rest_a.values + k), E::read(rest_b.values + k)));
        }
        for (int64_t j = i; j < n; ++j) partial[j - i] += found[j - i];
    }
    return combined(partial);
}

template <typename F, typename E, bool kOfA, bool kOfB>
GANTK_INLINE void gradient_loop(const typename E::Stored* a, const typename E::Stored* b, typename E::Number scale,
                                typename E::Stored* of_a, typename E::Stored* of_b, int64_t n) {
    using V = Vector<typename E::Number>;
    constexpr int kStep = kLanes<typename E::Number>;
    const V scales = all(scale);
    V x, y;
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
        F::gradient(E::read(a + i), E::read(b + i), scales, x, y);
        if constexpr (kOfA) E::write(of_a + i, x);
        if constexpr (kOfB) E::write(of_b + i, y);
    }
    if (i < n) {
        const Padded<typename E::Stored> rest_a(a + i, n - i), rest_b(b + i, n - i);
        typename E::Stored last_a[kStep], last_b[kStep];
        F::gradient(E::read(rest_a.values), E::read(rest_b.values), scales, x, y);
        if constexpr (kOfA) E::write(last_a, x);
        if constexpr (kOfB) E::write(last_b, y);
        for (int64_t j = i; j < n; ++j) {
            if constexpr (kOfA) of_a[j] = last_a[j - i];
            if constexpr (kOfB) of_b[j] = last_b[j - i];
        }
    }
}

template <typename F, typename E>
void gradient(const void* a, const void* b, double scale, void* of_a, void* of_b, int64_t n) {
    using Stored = typename E::Stored;
    const auto *x = static_cast<const Stored*>(a), *y = static_cast<const Stored*>(b);
    auto *of_x = static_cast<Stored*>(of_a), *of_y = static_cast<Stored*>(of_b);
    const auto factor = static_cast<typename E::Number>(scale);
    if (of_x && of_y) return gradient_loop<F, E, true, true>(x, y, factor, of_x, of_y, n);
    if (of_x) return gradient_loop<F, E, true, false>(x, y, factor, of_x, of_y, n);
    return gradient_loop<F, E, false, true>(x, y, factor, of_x, of_y, n);
}

template <typename S, bool kInPlace, bool kOpposite>
GANTK_INLINE void scale_loop(S* x, S factor, S* opposite, int64_t n) {
    using V = Vector<S>;
    int64_t i = 0;
    for (; i + kPartialSums <= n; i += kPartialSums) {
        prefetch(x + i, kPartialSums);
        for (int k = 0; k < kPartialSums; k += kLanes<S>) {
            const V scaled = load<V>(x + i + k) * factor;
            if constexpr (kInPlace) store(x + i + k, scaled);
            if constexpr (kOpposite) store(opposite + i + k, -scaled);
        }
    }
    for (; i < n; ++i) {
        const S scaled = x[i] * factor;
        if constexpr (kInPlace) x[i] = scaled;
        if constexpr (kOpposite) opposite[i] = -scaled;
    }
}

template <typename S>
void scale(S* x, S factor, S* opposite, int64_t n) {
    if (factor == 1 && opposite) return scale_loop<S, false, true>(x, factor, opposite, n);
    if (factor != 1 && opposite) return scale_loop<S, true, true>(x, factor, opposite, n);
    if (factor != 1) return scale_loop<S, true, false>(x, factor, opposite, n);
}

template <typename E>
constexpr Comparison comparison() {
    return {{sum<Square, E>, sum<Absolute, E>, sum<CrossEntropy, E>, sum<Divergence, E>},
            {gradient<Square, E>, gradient<Absolute, E>, gradient<CrossEntropy, E>, gradient<Divergence, E>}};
}

constexpr Kernels kernels() {
    return {{comparison<Plain<float>>(), comparison<Plain<double>>(), comparison<Short<Bfloat16>>(),
             comparison<Short<Float16>>()},
            scale<float>,
            scale<double>,
            widen<Bfloat16>,
            widen<Float16>,
            narrow<Bfloat16>,
            narrow<Float16>};
}

}  // namespace
}  // namespace gantk::losses
