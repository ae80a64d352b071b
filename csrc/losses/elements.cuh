// The losses of single elements, and loads and stores of four elements of any type.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "losses/losses.h"

namespace gantk::cuda {

using losses::Input;
using losses::Pair;
using losses::Type;

__device__ __forceinline__ float log_of(float x) { return logf(x); }
__device__ __forceinline__ double log_of(double x) { return log(x); }
__device__ __forceinline__ float log1p_of(float x) { return log1pf(x); }
__device__ __forceinline__ double log1p_of(double x) { return log1p(x); }
__device__ __forceinline__ float expm1_of(float x) { return expm1f(x); }
__device__ __forceinline__ double expm1_of(double x) { return expm1(x); }

template <class S>
__device__ __forceinline__ S clamped(S p) {
    const S low = static_cast<S>(losses::kSmallest), high = static_cast<S>(1 - losses::kSmallest);
    return p < low ? low : p > high ? high : p;
}

// f(a, b), as losses/kernels.h defines it.
template <Pair kPair, class S>
__device__ __forceinline__ S value(S a, S b) {
    if constexpr (kPair == Pair::square) return (a - b) * (a - b);
    if constexpr (kPair == Pair::absolute) return a < b ? b - a : a - b;
    if constexpr (kPair == Pair::cross_entropy) {
        const S p = clamped((a + 1) / 2), t = (b + 1) / 2;
        return -(t * log_of(p) + (1 - t) * log1p_of(-p));
    }
    if constexpr (kPair == Pair::divergence) return (a * a + expm1_of(b) - b) / 2;
}

template <Pair kPair, class S>
__device__ __forceinline__ void gradient(S a, S b, S scale, S& of_a, S& of_b) {
    if constexpr (kPair == Pair::square) {
        of_a = (scale + scale) * (a - b);
        of_b = -of_a;
    }
    if constexpr (kPair == Pair::absolute) {
        of_a = a > b ? scale : a < b ? -scale : S{};
        of_b = -of_a;
    }
    if constexpr (kPair == Pair::cross_entropy) {
        const S raw = (a + 1) / 2, p = clamped(raw), t = (b + 1) / 2, half = scale / 2;
        of_a = raw == p ? half * ((1 - t) / (1 - p) - t / p) : S{};
        of_b = half * (log1p_of(-p) - log_of(p));
    }
    if constexpr (kPair == Pair::divergence) {
        of_a = scale * a;
        of_b = scale * expm1_of(b) / 2;
    }
}

// Consecutive elements that one thread processes at a time.
constexpr int kFour = 4;

template <class T>
struct __align__(sizeof(T) == 2 ? 8 : 16) Four {
    T x[kFour];
};

__device__ __forceinline__ float widened(float x) { return x; }
__device__ __forceinline__ double widened(double x) { return x; }
__device__ __forceinline__ float widened(__half x) { return __half2float(x); }
__device__ __forceinline__ float widened(__nv_bfloat16 x) { return __bfloat162float(x); }

__device__ __forceinline__ void narrow(float from, float& to) { to = from; }
__device__ __forceinline__ void narrow(double from, double& to) { to = from; }
__device__ __forceinline__ void narrow(float from, __half& to) { to = __float2half(from); }
__device__ __forceinline__ void narrow(float from, __nv_bfloat16& to) { to = __float2bfloat16(from); }

// Elements [i, i + kFour); zero from `end` on.
template <class T, class S>
__device__ __forceinline__ void load_as(const void* data, std::int64_t i, std::int64_t end, S (&to)[kFour]) {
    const T* from = static_cast<const T*>(data) + i;
    if (i + kFour <= end && reinterpret_cast<std::uintptr_t>(from) % alignof(Four<T>) == 0) {
        const Four<T> found = *reinterpret_cast<const Four<T>*>(from);
        for (int k = 0; k < kFour; ++k) to[k] = widened(found.x[k]);
    } else {
        for (int k = 0; k < kFour; ++k) to[k] = i + k < end ? static_cast<S>(widened(from[k])) : S{};
    }
}

template <class T, class S>
__device__ __forceinline__ void store_as(void* data, std::int64_t i, std::int64_t end, const S (&from)[kFour]) {
    T* to = static_cast<T*>(data) + i;
    if (i + kFour <= end && reinterpret_cast<std::uintptr_t>(to) % alignof(Four<T>) == 0) {
        Four<T> found;
        for (int k = 0; k < kFour; ++k) narrow(from[k], found.x[k]);
        *reinterpret_cast<Four<T>*>(to) = found;
    } else {
        for (int k = 0; k < kFour; ++k) {
            if (i + k < end) narrow(from[k], to[k]);
        }
    }
}

// The type is uniform over a kernel, so the branch is hidden by memory access, and no kernel per pair of types is needed.
__device__ __forceinline__ void load(Input input, std::int64_t i, std::int64_t end, float (&to)[kFour]) {
    if (input.type == Type::float32) {
        load_as<float>(input.data, i, end, to);
    } else if (input.type == Type::bfloat16) {
        load_as<__nv_bfloat16>(input.data, i, end, to);
    } else {
        load_as<__half>(input.data, i, end, to);
    }
}
__device__ __forceinline__ void load(Input input, std::int64_t i, std::int64_t end, double (&to)[kFour]) {
    load_as<double>(input.data, i, end, to);
}

// Does nothing for an output that is not requested.
__device__ __forceinline__ void store(losses::Output output, std::int64_t i, std::int64_t end, const float (&from)[kFour]) {
    if (output.data == nullptr) return;
    if (output.type == Type::float32) {
        store_as<float>(output.data, i, end, from);
    } else if (output.type == Type::bfloat16) {
        store_as<__nv_bfloat16>(output.data, i, end, from);
    } else {
        store_as<__half>(output.data, i, end, from);
    }
}
__device__ __forceinline__ void store(losses::Output output, std::int64_t i, std::int64_t end, const double (&from)[kFour]) {
    if (output.data != nullptr) store_as<double>(output.data, i, end, from);
}

}  // namespace gantk::cuda
