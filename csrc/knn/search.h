// Exact nearest neighbors among points of bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>

#include "candidates.h"
#include "kernels.h"
#include "screen.h"

namespace gantk::knn {

// Called from the caller's thread from time to time with the fraction done, in [0, 1]. If it throws, the search ends.
using Poll = std::function<void(double)>;

struct Task {
    const uint8_t* references;  // [count, dim]
    int64_t count;
    int64_t dim;
    const uint8_t* queries;  // [query_count, dim]; null for a self-search, in which no point is its own neighbor
    int64_t query_count;
    int k;
    int block;  // points per block; 0 chooses
    int threads;
    // From gantk/ops/knn/plan.py: a query's limit is the rank-th smallest screen of a sample of references, or none if the
    // rank is 0; and the capacity of a query's list.
    int sample, rank, capacity;
};

// The scale of the screens of points of this dimension.
Scale scale_of(int64_t dim);

// Writes the distances of each query's k nearest, ascending, and unless null their indices: both [queries, k].
void search(const Kernel& kernel, const Task& task, const Screen& screen, const Poll& poll, double* distances,
            int64_t* indices);

}  // namespace gantk::knn
