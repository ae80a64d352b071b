// Fused losses on a GPU: what losses.h says, on a stream. Everything is enqueued, nothing waits; results do not depend on how
// the blocks of threads are scheduled.
#pragma once
#include <cstdint>

#include "losses/losses.h"

namespace gantk::cuda {

using losses::Gradients;
using losses::Matrices;
using losses::Output;
using losses::Pair;
using losses::Term;

// Elements that one block of threads adds up; a row is cut into spans of so many.
inline constexpr std::int64_t kLossSpan = 8192;

struct Queue {
    int device;
    std::uintptr_t stream;
    double* room;  // a forward's: a number for each span of each row of each sum; the gradients' is not looked at
};

void norm_forward(Queue queue, Pair pair, const Matrices& m, void* norms, void* loss);
void norm_backward(Queue queue, Pair pair, const Matrices& m, const void* norms, const void* grad, Output of_a, Output of_b);
void two_terms_forward(Queue queue, const Term& first, const Term& second, void* loss);
void two_terms_backward(Queue queue, const Term& first, const Term& second, const void* grad, Gradients of_first,
                        Gradients of_second);

}  // namespace gantk::cuda
