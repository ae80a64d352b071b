// Exact nearest neighbours among points of bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>

#include "candidates.h"
#include "kernels.h"
#include "screen.h"

namespace gantk::knn {

// Called from the caller's thread now and then with the share that is done, in [0, 1]. May throw: the search ends.
using Poll = std::function<void(double)>;

struct Task {
    const uint8_t* references;  // [count, dim]
    int64_t count;
    int64_t dim;
    const uint8_t* queries;  // [query_count, dim]; null: the references, without themselves
    int64_t query_count;
    int k;
    int block;  // points to a block, or 0 to choose
    int threads;
    // As gantk/ops/knn/plan.py says: a query's limit is the rank-th smallest screen of so many references, or unlimited
    // with rank 0; and how long lists are.
    int sample, rank, capacity;
};

// How the screens of points of that many dimensions are scaled.
Scale scale_of(int64_t dim);

// Writes the squared distances of each query's k nearest, ascending, and unless null their indices: both [queries, k].
void search(const Kernel& kernel, const Task& task, const Screen& screen, const Poll& poll, double* squared,
            int64_t* indices);

}  // namespace gantk::knn
