// Stands in for <cuda_fp16.h>: the type and its conversions (round to nearest even), which is what the kernels use.
#pragma once
#include "cuda_runtime.h"

struct __half {
    _Float16 value;
};
inline float __half2float(__half x) { return static_cast<float>(x.value); }
inline __half __float2half(float x) { return {static_cast<_Float16>(x)}; }
inline __half __float2half_rn(float x) { return __float2half(x); }
