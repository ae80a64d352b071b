// The inner loops of the losses, one table of functions for each instruction set.
//
// All give the same bits: a sum has 64 partial sums whatever the width of a vector, nothing is contracted to fused
// multiply-adds (-ffp-contract=off), and exp and log are implemented here instead of taken from libm.
#pragma once

#include <cstdint>

namespace gantk::losses {

// f(a, b) of one pair of elements, and what the sum over two tensors is used for:
//   square         (a − b)²                          L2 norms, mse
//   absolute       |a − b|                           L1 norms, l1
//   cross_entropy  −(t log p + (1 − t) log(1 − p))    bce; p and t are a and b mapped from [−1, 1] to [0, 1]
//   divergence     (a² + expm1(b) − b) / 2           KL(N(a, exp b) ‖ N(0, 1))
constexpr int kPairs = 4;
enum class Pair : int { square, absolute, cross_entropy, divergence };

// Maximum number of elements per call of a kernel. Fixed, because results depend on how sums are divided into blocks.
constexpr int64_t kBlock = 2048;

// Probabilities are clamped to [kSmallest, 1 − kSmallest], so that logarithms are finite. In float32, 1 − kSmallest < 1.
constexpr double kSmallest = 1e-7;

// In the order of TYPES in gantk/ops/losses/kernels.py.
constexpr int kTypes = 4;
enum class Type : int { float32, float64, bfloat16, float16 };

// For two tensors of one type, n ≤ kBlock. Computed in float32, or in float64 for float64 input.
struct Comparison {
    // Σ f(a, b)
    double (*sum[kPairs])(const void* a, const void* b, int64_t n);
    // scale × ∂f/∂a and scale × ∂f/∂b; a null pointer means that the gradient is not requested.
    void (*gradient[kPairs])(const void* a, const void* b, double scale, void* of_a, void* of_b, int64_t n);
};

struct Kernels {
    Comparison of_type[kTypes];
    // Multiplies x by the factor in place, unless that is 1, and writes the negative unless its pointer is null.
    void (*scale_float32)(float* x, float factor, float* opposite, int64_t n);
    void (*scale_float64)(double* x, double factor, double* opposite, int64_t n);
    void (*widen_bfloat16)(const uint16_t* from, float* to, int64_t n);
    void (*widen_float16)(const uint16_t* from, float* to, int64_t n);
    // Rounds to nearest, ties to even.
    void (*narrow_bfloat16)(const float* from, uint16_t* to, int64_t n);
    void (*narrow_float16)(const float* from, uint16_t* to, int64_t n);
};

extern const Kernels kPortable;
#if defined(GANTK_HAS_AVX2)
extern const Kernels kAvx2;
#endif
#if defined(GANTK_HAS_AVX512VNNI)
extern const Kernels kAvx512;
#endif

}  // namespace gantk::losses
