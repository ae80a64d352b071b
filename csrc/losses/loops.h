// The kernels, written once and compiled for each instruction set. As vectors.h: nothing shared between them.
#pragma once

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

// Adds the partial sums up in one order.
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

template <typename F, typename S>
double sum(const S* a, const S* b, int64_t n) {
    using V = Vector<S>;
    constexpr int kStep = kLanes<S>, kVectors = kPartialSums / kStep;
    V sums[kVectors] = {};
    int64_t i = 0;
    for (; i + kPartialSums <= n; i += kPartialSums) {
#pragma GCC unroll 32
        for (int k = 0; k < kVectors; ++k) {
            sums[k] += F::value(load<V>(a + i + k * kStep), load<V>(b + i + k * kStep));
        }
    }
    S partial[kPartialSums];
    for (int k = 0; k < kVectors; ++k) store(partial + k * kStep, sums[k]);
    if (i < n) {
        const Padded<S> rest_a(a + i, n - i), rest_b(b + i, n - i);
        S found[kPartialSums];
        for (int k = 0; k < kPartialSums; k += kStep) {
            store(found + k, F::value(load<V>(rest_a.values + k), load<V>(rest_b.values + k)));
        }
        for (int64_t j = i; j < n; ++j) partial[j - i] += found[j - i];
    }
    return combined(partial);
}

template <typename F, typename S, bool kOfA, bool kOfB>
GANTK_INLINE void gradient_loop(const S* a, const S* b, S scale, S* of_a, S* of_b, int64_t n) {
    using V = Vector<S>;
    constexpr int kStep = kLanes<S>;
    const V scales = all(scale);
    V x, y;
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
        F::gradient(load<V>(a + i), load<V>(b + i), scales, x, y);
        if constexpr (kOfA) store(of_a + i, x);
        if constexpr (kOfB) store(of_b + i, y);
    }
    if (i < n) {
        const Padded<S> rest_a(a + i, n - i), rest_b(b + i, n - i);
        F::gradient(load<V>(rest_a.values), load<V>(rest_b.values), scales, x, y);
        for (int64_t j = i; j < n; ++j) {
            if constexpr (kOfA) of_a[j] = x[j - i];
            if constexpr (kOfB) of_b[j] = y[j - i];
        }
    }
}

template <typename F, typename S>
void gradient(const S* a, const S* b, S scale, S* of_a, S* of_b, int64_t n) {
    if (of_a && of_b) return gradient_loop<F, S, true, true>(a, b, scale, of_a, of_b, n);
    if (of_a) return gradient_loop<F, S, true, false>(a, b, scale, of_a, of_b, n);
    return gradient_loop<F, S, false, true>(a, b, scale, of_a, of_b, n);
}

// softplus(x) = max(x, 0) + log(1 + e^−|x|), and softplus(−x) = softplus(x) − x.
template <typename V>
GANTK_INLINE void softplus_both(V x, V& of_x, V& of_minus_x) {
    const V bend = log1p(exp_of_negative(-magnitude(x)));
    of_x = (x < 0 ? V{} : x) + bend;
    of_minus_x = (x > 0 ? V{} : -x) + bend;
}

template <typename S>
void softplus_sums(const S* x, int64_t n, double* of_x, double* of_minus_x) {
    using V = Vector<S>;
    constexpr int kStep = kLanes<S>;
    S plus[kPartialSums] = {}, minus[kPartialSums] = {};
    V more, more_minus;
    int64_t i = 0;
    for (; i + kPartialSums <= n; i += kPartialSums) {
        for (int k = 0; k < kPartialSums; k += kStep) {
            softplus_both(load<V>(x + i + k), more, more_minus);
            store(plus + k, load<V>(plus + k) + more);
            store(minus + k, load<V>(minus + k) + more_minus);
        }
    }
    if (i < n) {
        const Padded<S> rest(x + i, n - i);
        for (int64_t k = 0; k < n - i; k += kStep) {
            softplus_both(load<V>(rest.values + k), more, more_minus);
            for (int64_t j = k; j < k + kStep && j < n - i; ++j) {
                plus[j] += more[j - k];
                minus[j] += more_minus[j - k];
            }
        }
    }
    *of_x = combined(plus);
    *of_minus_x = combined(minus);
}

template <typename S>
double plain_sum(const S* x, int64_t n) {
    using V = Vector<S>;
    S partial[kPartialSums] = {};
    int64_t i = 0;
    for (; i + kPartialSums <= n; i += kPartialSums) {
        for (int k = 0; k < kPartialSums; k += kLanes<S>) {
            store(partial + k, load<V>(partial + k) + load<V>(x + i + k));
        }
    }
    for (int64_t j = i; j < n; ++j) partial[j - i] += x[j];
    return combined(partial);
}

template <typename S>
void sigmoids(const S* x, S a, S b, S* gradient, int64_t n) {
    using V = Vector<S>;
    constexpr int kStep = kLanes<S>;
    const auto at = [=](V v) __attribute__((always_inline)) {
        const V power = exp_of_negative(-magnitude(v)), nearer = 1 / (1 + power), farther = power * nearer;
        return v < 0 ? a * farther - b * nearer : a * nearer - b * farther;
    };
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) store(gradient + i, at(load<V>(x + i)));
    if (i < n) {
        const Padded<S> rest(x + i, n - i);
        const V found = at(load<V>(rest.values));
        for (int64_t j = i; j < n; ++j) gradient[j] = found[j - i];
    }
}

template <typename S>
constexpr Arithmetic<S> arithmetic() {
    return {{sum<Square, S>, sum<Absolute, S>, sum<CrossEntropy, S>, sum<Divergence, S>},
            {gradient<Square, S>, gradient<Absolute, S>, gradient<CrossEntropy, S>, gradient<Divergence, S>},
            softplus_sums<S>,
            plain_sum<S>,
            sigmoids<S>};
}

constexpr Kernels kernels() {
    return {arithmetic<float>(), arithmetic<double>(), widen<Bfloat16>,  widen<Float16>,
            narrow<Bfloat16>,    narrow<Float16>};
}

}  // namespace
}  // namespace gantk::losses
