// A forward takes two kernels: each block of the first sums one span, and the single block of the second sums those sums. The
// order of all additions depends on the sizes only. A backward takes one kernel.
#include "losses/losses_cuda.h"

#include <type_traits>

#include "launch.cuh"
#include "losses/elements.cuh"

namespace gantk::cuda {
namespace {

using losses::in_width_of;

constexpr int kThreads = 256;
constexpr int kFinishThreads = 512;
constexpr int kWarp = 32;
constexpr unsigned kAll = 0xffffffffu;

// A matrix's rows, divided into spans; block number `span` of a kernel takes one.
struct Cut {
    std::int64_t rows, columns, spans_per_row;

    Cut(std::int64_t rows, std::int64_t columns)
        : rows(rows), columns(columns), spans_per_row(columns > 0 ? (columns + kLossSpan - 1) / kLossSpan : 1) {}

    std::int64_t spans() const { return rows * spans_per_row; }

    dim3 grid() const {
        if (spans() > 0x7fffffff) throw std::invalid_argument("gantk's CUDA losses: the tensor is too large");
        return dim3(static_cast<unsigned>(spans()));
    }
};

struct Span {
    std::int64_t row, start, end;
};

__device__ __forceinline__ Span own_span(const Cut& cut) {
    const std::int64_t row = blockIdx.x / cut.spans_per_row, from = blockIdx.x % cut.spans_per_row * kLossSpan;
    const std::int64_t to = from + kLossSpan < cut.columns ? from + kLossSpan : cut.columns;
    return {row, row * cut.columns + from, row * cut.columns + to};
}

__device__ __forceinline__ double over_warp(double x) {
    for (int step = kWarp / 2; step > 0; step /= 2) x += __shfl_down_sync(kAll, x, step);
    return x;
}

// The sum over all threads of the block; valid in its first thread.
template <int kBlockThreads>
__device__ __forceinline__ double over_block(double x) {
    __shared__ __align__(16) double of_warps[kBlockThreads / kWarp];
    x = over_warp(x);
    __syncthreads();
    if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = x;
    __syncthreads();
    double sum = 0;
    if (threadIdx.x == 0) {
        for (int warp = 0; warp < kBlockThreads / kWarp; ++warp) sum += of_warps[warp];
    }
    return sum;
}

template <Pair kPair, class S>
__global__ void __launch_bounds__(kThreads) sum_kernel(Input a, Input b, Cut cut, double* of_spans) {
    const Span span = own_span(cut);
    S sums[kFour] = {};
    for (std::int64_t i = span.start + threadIdx.x * kFour; i < span.end; i += kThreads * kFour) {
        S x[kFour], y[kFour];
        load(a, i, span.end, x);
        load(b, i, span.end, y);
        for (int k = 0; k < kFour; ++k) {
            if (i + k < span.end) sums[k] += value<kPair>(x[k], y[k]);
        }
    }
    const double sum = over_block<kThreads>(static_cast<double>((sums[0] + sums[1]) + (sums[2] + sums[3])));
    if (threadIdx.x == 0) of_spans[blockIdx.x] = sum;
}

// kGroup threads per row: a warp if a row has several spans, otherwise one thread.
template <int kGroup, class S>
__global__ void __launch_bounds__(kFinishThreads)
    norm_kernel(const double* of_spans, std::int64_t rows, std::int64_t spans_per_row, bool root, S* norms, S* loss) {
    const int lane = threadIdx.x % kGroup;
    double sum_of_norms = 0;
    for (std::int64_t first = 0; first < rows; first += kFinishThreads / kGroup) {
        const std::int64_t row = first + threadIdx.x / kGroup;  // no early return: the warp's sum needs all threads
        double sum = 0;
        for (std::int64_t i = lane; row < rows && i < spans_per_row; i += kGroup) sum += of_spans[row * spans_per_row + i];
        if constexpr (kGroup == kWarp) sum = over_warp(sum);
        if (row < rows && lane == 0) {
            const double norm = root ? sqrt(sum) : sum;
            norms[row] = static_cast<S>(norm);
            sum_of_norms += norm;
        }
    }
    const double total = over_block<kFinishThreads>(sum_of_norms);
    if (threadIdx.x == 0) *loss = static_cast<S>(total / static_cast<double>(rows));
}

// A row's factor of the gradient: computed from its norm, or the same for all rows.
struct Scale {
    const void* grad;
    const void* norms;  // null if there are none
    double factor;

    template <class S>
    __device__ S of(std::int64_t row) const {
        const double whole = static_cast<double>(*static_cast<const S*>(grad)) * factor;
        if (norms == nullptr) return static_cast<S>(whole);
        const double norm = static_cast<double>(static_cast<const S*>(norms)[row]);
        return static_cast<S>(norm == 0 ? 0 : whole / norm);
    }
};

template <Pair kPair, class S>
__global__ void __launch_bounds__(kThreads) gradient_kernel(Input a, Input b, Cut cut, Scale scale, Output of_a, Output of_b) {
    const Span span = own_span(cut);
    const S factor = scale.of<S>(span.row);
    for (std::int64_t i = span.start + threadIdx.x * kFour; i < span.end; i += kThreads * kFour) {
        S x[kFour], y[kFour], to_a[kFour], to_b[kFour];
        load(a, i, span.end, x);
        load(b, i, span.end, y);
        for (int k = 0; k < kFour; ++k) gradient<kPair>(x[k], y[k], factor, to_a[k], to_b[k]);
        store(of_a, i, span.end, to_a);
        store(of_b, i, span.end, to_b);
    }
}

// The sum of `count` numbers; valid in the block's first thread.
__device__ __forceinline__ double added_up(const double* numbers, std::int64_t count) {
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += kFinishThreads) sum += numbers[i];
    return over_block<kFinishThreads>(sum);
}

template <class S>
__global__ void __launch_bounds__(kFinishThreads) two_terms_kernel(const double* first, std::int64_t first_count, double first_factor,
                                                                   const double* second, std::int64_t second_count,
                                                                   double second_factor, S* loss) {
    const double a = added_up(first, first_count), b = added_up(second, second_count);
    if (threadIdx.x == 0) *loss = static_cast<S>(first_factor * a + second_factor * b);
}

cudaStream_t stream(const Queue& queue) { return reinterpret_cast<cudaStream_t>(queue.stream); }

template <Pair kPair>
using Constant = std::integral_constant<Pair, kPair>;

// Calls fn with the pair as a compile-time constant.
template <class Fn>
void with_constant(Pair pair, const Fn& fn) {
    switch (pair) {
        case Pair::square:
            return fn(Constant<Pair::square>{});
        case Pair::absolute:
            return fn(Constant<Pair::absolute>{});
        case Pair::cross_entropy:
            return fn(Constant<Pair::cross_entropy>{});
        case Pair::divergence:
            return fn(Constant<Pair::divergence>{});
    }
    throw std::invalid_argument("gantk's CUDA losses: there is no such pair");
}

template <class S>
void sum_spans(const Queue& queue, Pair pair, const Matrices& m, const Cut& cut, double* of_spans) {
    with_constant(pair, [&](auto constant) {
        launch("the kernel that adds up a loss", sum_kernel<decltype(constant)::value, S>, cut.grid(), dim3(kThreads), 0,
               stream(queue), m.a, m.b, cut, of_spans);
    });
}

template <class S>
void gradients(const Queue& queue, Pair pair, const Matrices& m, const Cut& cut, const Scale& scale, const Gradients& of) {
    if (of.of_a.data == nullptr && of.of_b.data == nullptr) return;
    with_constant(pair, [&](auto constant) {
        launch("the kernel of a loss's gradients", gradient_kernel<decltype(constant)::value, S>, cut.grid(), dim3(kThreads), 0,
               stream(queue), m.a, m.b, cut, scale, of.of_a, of.of_b);
    });
}

Cut whole(const Matrices& m) {
    const Matrices row = losses::as_one_row(m);
    return {row.rows, row.columns};
}

}  // namespace

void norm_forward(Queue queue, Pair pair, const Matrices& m, void* norms, void* loss) {
    const OnDevice on(queue.device);
    const Cut cut(m.rows, m.columns);
    in_width_of(m.a, [&](auto number) {
        using S = decltype(number);
        sum_spans<S>(queue, pair, m, cut, queue.room);
        launch("the kernel that adds up norms", cut.spans_per_row > 1 ? norm_kernel<kWarp, S> : norm_kernel<1, S>, dim3(1),
               dim3(kFinishThreads), 0, stream(queue), static_cast<const double*>(queue.room), m.rows, cut.spans_per_row,
               pair == Pair::square, static_cast<S*>(norms), static_cast<S*>(loss));
    });
}

void norm_backward(Queue queue, Pair pair, const Matrices& m, const void* norms, const void* grad, Output of_a, Output of_b) {
    const OnDevice on(queue.device);
    // The gradient of ‖d‖₂ is d / ‖d‖₂; the pair's own is 2d.
    const bool root = pair == Pair::square;
    const Scale scale{grad, root ? norms : nullptr, (root ? 0.5 : 1.0) / static_cast<double>(m.rows)};
    in_width_of(m.a, [&](auto number) {
        gradients<decltype(number)>(queue, pair, m, Cut(m.rows, m.columns), scale, {of_a, of_b});
    });
}

void two_terms_forward(Queue queue, const Term& first, const Term& second, void* loss) {
    const OnDevice on(queue.device);
    const Cut first_cut = whole(first.matrices), second_cut = whole(second.matrices);
    double* const of_second = queue.room + first_cut.spans();
    in_width_of(first.matrices.a, [&](auto number) {
        using S = decltype(number);
        sum_spans<S>(queue, first.pair, first.matrices, first_cut, queue.room);
        sum_spans<S>(queue, second.pair, second.matrices, second_cut, of_second);
        launch("the kernel that adds up two terms", two_terms_kernel<S>, dim3(1), dim3(kFinishThreads), 0, stream(queue),
               static_cast<const double*>(queue.room), first_cut.spans(), first.factor, static_cast<const double*>(of_second),
               second_cut.spans(), second.factor, static_cast<S*>(loss));
    });
}

void two_terms_backward(Queue queue, const Term& first, const Term& second, const void* grad, Gradients of_first,
                        Gradients of_second) {
    const OnDevice on(queue.device);
    in_width_of(first.matrices.a, [&](auto number) {
        using S = decltype(number);
        gradients<S>(queue, first.pair, first.matrices, whole(first.matrices), {grad, nullptr, first.factor}, of_first);
        gradients<S>(queue, second.pair, second.matrices, whole(second.matrices), {grad, nullptr, second.factor}, of_second);
    });
}

}  // namespace gantk::cuda
