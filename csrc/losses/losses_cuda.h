// Fused losses on a GPU, as in losses.h. Work is enqueued on a stream, and no function waits for it; results do not depend on
// the order in which blocks are scheduled.
#pragma once
#include <cstdint>

#include "losses/losses.h"

namespace gantk::cuda {

using losses::Gradients;
using losses::Matrices;
using losses::Output;
using losses::Pair;
using losses::Term;

// Elements that one block of threads sums: the length of a span of a row.
inline constexpr std::int64_t kLossSpan = 8192;

struct Queue {
    int device;
    std::uintptr_t stream;
    double* room;  // in a forward, one number for each span of each row of each sum; not used in a backward
};

void norm_forward(Queue queue, Pair pair, const Matrices& m, void* norms, void* loss);
void norm_backward(Queue queue, Pair pair, const Matrices& m, const void* norms, const void* grad, Output of_a, Output of_b);
void two_terms_forward(Queue queue, const Term& first, const Term& second, void* loss);
void two_terms_backward(Queue queue, const Term& first, const Term& second, const void* grad, Gradients of_first,
                        Gradients of_second);

}  // namespace gantk::cuda
