// Fused losses on the CPU: each forward and each backward is one pass over the tensors.
//
// Every sum is over blocks of fixed size and is combined in a fixed order, so that neither the number of threads nor
// the instruction set changes a bit. Tensors are dense blocks of memory; one is float64 only where all are, and the
// results are then float64, else float32 (here: "wide").
#pragma once

#include <cstdint>

#include "losses/kernels.h"

namespace gantk::losses {

struct Input {
    const void* data;  // null: there is none
    Type type;
};

struct Output {
    void* data;  // null: nobody asked for it
    Type type;
};

// Two tensors of the same shape, as a matrix: the pairs whose elements are compared.
struct Matrices {
    Input a, b;
    int64_t rows, columns;
};

// For a sum over everything.
inline Matrices as_one_row(const Matrices& m) { return {m.a, m.b, 1, m.rows * m.columns}; }

// Calls fn with a number of the type that results have: float64 where the input is.
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

// The same, and the loss's gradients: a row's are written while the row is still in the caches.
void norm_forward_with_gradients(int threads, Pair pair, const Matrices& m, void* norms, void* loss, Gradients of);

// The gradients of grad × loss; grad and norms are wide. A row of distance 0 has gradient 0.
void norm_backward(int threads, Pair pair, const Matrices& m, const void* norms, const void* grad, Output of_a,
                   Output of_b);

// gradient × factor in its place, and the opposite of that where it is asked for.
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
