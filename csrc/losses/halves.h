// Conversions between bfloat16 or float16 and float32. One copy per instruction set, as explained in vectors.h.
#pragma once

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "losses/vectors.h"

namespace gantk::losses {
namespace {

GANTK_INLINE Words words(Halves h) { return __builtin_convertvector(h, Words); }

struct Bfloat16 {
    static GANTK_INLINE Floats widen(Halves h) { return (Floats)(words(h) << 16); }

    static GANTK_INLINE Halves narrow(Floats x) {
        const Words bits = (Words)x;
        const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        const Words nan = Words{} + 0x7fc0;
        return __builtin_convertvector((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded, Halves);
    }
};

#if defined(__AVX512F__)

struct Float16 {
    // Masked: for the plain intrinsics, GCC 12 warns of an undefined vector in its own header.
    static GANTK_INLINE Floats widen(Halves h) { return (Floats)_mm512_maskz_cvtph_ps(0xffff, (__m256i)h); }
    static GANTK_INLINE Halves narrow(Floats x) {
        return (Halves)_mm512_maskz_cvtps_ph(0xffff, (__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
};

#elif defined(__F16C__) && defined(__AVX2__)

struct Float16 {
    static GANTK_INLINE Floats widen(Halves h) { return (Floats)_mm256_cvtph_ps((__m128i)h); }
    static GANTK_INLINE Halves narrow(Floats x) {
        return (Halves)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
};

#else

struct Float16 {
    static GANTK_INLINE Floats widen(Halves h) {
        const Words bits = words(h), sign = (bits & 0x8000) << 16, rest = bits & 0x7fff;
        const Words normal = (rest << 13) + (112u << 23);
        const Words special = normal + (112u << 23);  // infinity and NaN
        const Words small = (Words)(__builtin_convertvector((Integers)rest, Floats) * 0x1p-24f);
        return (Floats)(sign | (rest < 0x400 ? small : rest < 0x7c00 ? normal : special));
    }

    static GANTK_INLINE Halves narrow(Floats x) {
        const Words bits = (Words)x, sign = (bits >> 16) & 0x8000, rest = bits & 0x7fffffff;
        const Words normal = (rest - (112u << 23) + 0xfff + ((rest >> 13) & 1)) >> 13;
        const Words small = (Words)((Floats)rest + 0.5f) - 0x3f000000;  // rounds: the last bit of 0.5 is float16's smallest subnormal
        const Words infinite = Words{} + 0x7c00, nan = Words{} + 0x7e00;
        const Words special = rest > 0x7f800000 ? nan : infinite;
        const Words found = rest < (113u << 23) ? small : rest < (143u << 23) ? normal : special;
        return __builtin_convertvector(sign | found, Halves);
    }
};

#endif

template <typename Half>
void widen(const uint16_t* from, float* to, int64_t n) {
    constexpr int kStep = kLanes<float>;
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) store(to + i, Half::widen(load<Halves>(from + i)));
    if (i < n) {
        uint16_t rest[kStep] = {};
        float wide[kStep];
        for (int64_t j = i; j < n; ++j) rest[j - i] = from[j];
        store(wide, Half::widen(load<Halves>(rest)));
        for (int64_t j = i; j < n; ++j) to[j] = wide[j - i];
    }
}

template <typename Half>
void narrow(const float* from, uint16_t* to, int64_t n) {
    constexpr int kStep = kLanes<float>;
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) store(to + i, Half::narrow(load<Floats>(from + i)));
    if (i < n) {
        float rest[kStep] = {};
        uint16_t found[kStep];
        for (int64_t j = i; j < n; ++j) rest[j - i] = from[j];
        store(found, Half::narrow(load<Floats>(rest)));
        for (int64_t j = i; j < n; ++j) to[j] = found[j - i];
    }
}

}  // namespace
}  // namespace gantk::losses
