// Vectors of the native width, and the elementary functions of vectors.
//
// Included by one file per instruction set. Everything is in an anonymous namespace, and no templates of the standard library
// are used: of code that the linker merges between these files, it could keep the copy with the wrong instructions.
#pragma once

#include <cstdint>

namespace gantk::losses {
namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

#define GANTK_INLINE inline __attribute__((always_inline))

using Floats = float __attribute__((vector_size(kBytes)));
using Doubles = double __attribute__((vector_size(kBytes)));
using Words = uint32_t __attribute__((vector_size(kBytes)));
using Integers = int32_t __attribute__((vector_size(kBytes)));
using Halves = uint16_t __attribute__((vector_size(kBytes / 2)));

template <typename S>
struct VectorOf;
template <>
struct VectorOf<float> {
    using type = Floats;
};
template <>
struct VectorOf<double> {
    using type = Doubles;
};
template <typename S>
using Vector = typename VectorOf<S>::type;

template <typename S>
constexpr int kLanes = kBytes / static_cast<int>(sizeof(S));

template <typename V>
GANTK_INLINE V load(const void* place) {
    V v;
    __builtin_memcpy(&v, place, sizeof v);
    return v;
}

template <typename V>
GANTK_INLINE void store(void* place, V v) {
    __builtin_memcpy(place, &v, sizeof v);
}

template <typename S>
GANTK_INLINE Vector<S> all(S x) {
    return x - Vector<S>{};
}

template <typename V>
GANTK_INLINE V magnitude(V x) {
    return x < 0 ? -x : x;
}

GANTK_INLINE Floats power_of_two(Floats n) {
    const Integers exponent = __builtin_convertvector(n, Integers) + 127;
    return (Floats)(exponent << 23);
}

// x = n log 2 + r with a whole n; returns e^r − 1. Coefficients: Cephes, expf. At most 2 units in the last place.
GANTK_INLINE Floats reduced_expm1(Floats x, Floats& n) {
    constexpr float kRounding = 12582912.0f;  // 1.5 × 2²³: adding it rounds to an integer, in the low bits
    n = (x * 1.44269504f + kRounding) - kRounding;
    Floats r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    Floats q = all(1.9875691500e-4f);
    q = q * r + 1.3981999507e-3f;
    q = q * r + 8.3334519073e-3f;
    q = q * r + 4.1665795894e-2f;
    q = q * r + 1.6666665459e-1f;
    q = q * r + 5.0000001201e-1f;
    return r + r * r * q;
}

GANTK_INLINE Floats expm1(Floats x) {
    Floats n, within = x < -87.0f ? all(-87.0f) : x;
    within = within > 89.0f ? all(89.0f) : within;
    const Floats part = reduced_expm1(within, n);
    const Floats half = power_of_two(n - 1.0f);  // 2ⁿ may overflow where e^x does not
    const Floats found = (half * part + (half - 0.5f)) * 2.0f;
    return x > 88.7228317f ? all(__builtin_inff()) : found;
}

// For normal x > 0, and NaN. Coefficients: Cephes, logf.
GANTK_INLINE Floats log(Floats x) {
    const Integers bits = (Integers)x;
    Floats e = __builtin_convertvector((bits >> 23) - 126, Floats);
    Floats m = (Floats)((bits & 0x7fffff) | 0x3f000000);
    const auto low = m < 0.707106781f;
    e = low ? e - 1.0f : e;
    m = low ? m + m : m;
    m = m - 1.0f;
    Floats q = all(7.0376836292e-2f);
    q = q * m + -1.1514610310e-1f;
    q = q * m + 1.1676998740e-1f;
    q = q * m + -1.2420140846e-1f;
    q = q * m + 1.4249322787e-1f;
    q = q * m + -1.6668057665e-1f;
    q = q * m + 2.0000714765e-1f;
    q = q * m + -2.4999993993e-1f;
    q = q * m + 3.3333331174e-1f;
    const Floats square = m * m;
    const Floats tail = q * m * square + e * -2.12194440e-4f - 0.5f * square;
    return x != x ? x : m + tail + e * 0.693359375f;
}

// For −1 < x ≤ 1.
GANTK_INLINE Floats log1p(Floats x) {
    const Floats sum = x + 1.0f;
    return log(sum) + (x - (sum - 1.0f)) / sum;  // corrects the rounding of 1 + x to first order
}

#define GANTK_BY_LANE(name, function)                                       \
    GANTK_INLINE Doubles name(Doubles x) {                                  \
        for (int i = 0; i < kLanes<double>; ++i) x[i] = function(x[i]);     \
        return x;                                                           \
    }
GANTK_BY_LANE(expm1, __builtin_expm1)
GANTK_BY_LANE(log, __builtin_log)
GANTK_BY_LANE(log1p, __builtin_log1p)
#undef GANTK_BY_LANE

}  // namespace
}  // namespace gantk::losses
