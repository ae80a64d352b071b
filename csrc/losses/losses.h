// Fused losses on the CPU: each forward and each backward is one pass over the tensors.
//
// Sums are over blocks of fixed size, combined in a fixed order, so that neither the number of threads nor the instruction
// set changes a bit. Tensors are dense. Either all are float64 or none; results, called "wide", are float64 then, and
// float32 otherwise.
#pragma once

#include <cstdint>

#include "losses/kernels.h"

namespace gantk::losses {

struct Input {
    const void* data;  // null if there is none
    Type type;
};

struct Output {
    void* data;  // null if it is not requested
    Type type;
};

// Two tensors of the same shape, viewed as matrices, whose elements are compared pairwise.
struct Matrices {
    Input a, b;
    int64_t rows, columns;
};

// For a sum over all elements.
inline Matrices as_one_row(const Matrices& m) { return {m.a, m.b, 1, m.rows * m.columns}; }

// Calls fn with a number of the results' type: float64 for float64 input, else float32.
template <typename Fn>
void in_width_of(const Input& input, const Fn& fn) {
    if (input.type == Type::float64) {
        fn(double{});
    } else {
        fn(float{});
    }
}

struct Gradients {
    Output of_a, of_b;
};

// norms[row] = ‖a − b‖ of that row, L2 for Pair::square and L1 for Pair::absolute; loss = their mean. Both wide.
void norm_forward(int threads, Pair pair, const Matrices& m, void* norms, void* loss);

// The same, and the loss's gradients, each row's while the row is still in the caches.
void norm_forward_with_gradients(int threads, Pair pair, const Matrices& m, void* norms, void* loss, Gradients of);

// The gradients of grad × loss; grad and norms are wide. A row of distance 0 has gradient 0.
void norm_backward(int threads, Pair pair, const Matrices& m, const void* norms, const void* grad, Output of_a,
                   Output of_b);

// gradient × factor in place, and its negative if requested.
void scale_gradient(int threads, Output gradient, int64_t count, double factor, Output opposite);

// A sum over all pairs of elements, times a factor.
struct Term {
    Pair pair;
    Matrices matrices;
    double factor;
};

// loss = first + second, wide.
void two_terms_forward(int threads, const Term& first, const Term& second, void* loss);

void two_terms_backward(int threads, const Term& first, const Term& second, const void* grad, Gradients of_first,
                        Gradients of_second);

}  // namespace gantk::losses
