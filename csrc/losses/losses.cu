// Two kernels make a forward: each block of the first adds up one span, the only block of the second adds up what they found.
// The order of every addition follows from the sizes alone. One kernel makes a backward.
#include "losses/losses_cuda.h"

#include <type_traits>

#include "launch.cuh"
#include "losses/elements.cuh"

namespace gantk::cuda {
namespace {

using losses::Weights;

constexpr int kThreads = 256;
constexpr int kFinishThreads = 512;
constexpr int kWarp = 32;
constexpr unsigned kAll = 0xffffffffu;

// A matrix's rows cut into spans; block number `span` of a kernel takes one.
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

// The sum over all threads of the block, for its first thread.
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

// A group of kGroup threads for each row: the threads of a warp where a row has several spans, else one.
template <int kGroup, class S>
__global__ void __launch_bounds__(kFinishThreads)
    norm_kernel(const double* of_spans, std::int64_t rows, std::int64_t spans_per_row, bool root, S* norms, S* loss) {
    const int lane = threadIdx.x % kGroup;
    double sum_of_norms = 0;
    for (std::int64_t first = 0; first < rows; first += kFinishThreads / kGroup) {
        const std::int64_t row = first + threadIdx.x / kGroup;  // all threads stay together for the warp's sum
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

// A row's factor: what its norm makes of the gradient, or the same for all.
struct Scale {
    const void* grad;
    const void* norms;  // null: there are none
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

// The sum of `count` numbers, each `step` from the next, for the block's first thread.
__device__ __forceinline__ double added_up(const double* numbers, std::int64_t count, std::int64_t step) {
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += kFinishThreads) sum += numbers[i * step];
    return over_block<kFinishThreads>(sum);
}

template <class S>
__global__ void __launch_bounds__(kFinishThreads) two_terms_kernel(const double* first, std::int64_t first_count, double first_factor,
                                                                   const double* second, std::int64_t second_count,
                                                                   double second_factor, S* loss) {
    const double a = added_up(first, first_count, 1), b = added_up(second, second_count, 1);
    if (threadIdx.x == 0) *loss = static_cast<S>(first_factor * a + second_factor * b);
}

// Two numbers for each span: the sums of softplus(x) and softplus(−x), or that of x and 0.
template <class S>
__global__ void __launch_bounds__(kThreads) logit_kernel(Input logits, Cut cut, bool bends, double* of_spans) {
    const Span span = own_span(cut);
    S sums[2] = {};
    for (std::int64_t i = span.start + threadIdx.x * kFour; i < span.end; i += kThreads * kFour) {
        S x[kFour];
        load(logits, i, span.end, x);
        for (int k = 0; k < kFour; ++k) {
            if (i + k >= span.end) continue;
            if (bends) {
                const S bend = log1p_of(exp_of(x[k] < 0 ? x[k] : -x[k]));
                sums[0] += (x[k] < 0 ? S{} : x[k]) + bend;
                sums[1] += (x[k] > 0 ? S{} : -x[k]) + bend;
            } else {
                sums[0] += x[k];
            }
        }
    }
    const double first = over_block<kThreads>(static_cast<double>(sums[0]));
    const double second = over_block<kThreads>(static_cast<double>(sums[1]));
    if (threadIdx.x == 0) {
        of_spans[2 * blockIdx.x] = first;
        of_spans[2 * blockIdx.x + 1] = second;
    }
}

struct LogitSums {
    const double* of_spans;
    std::int64_t spans, count;  // no spans: there are no logits
    bool bends;

    __device__ double mean(const Weights& weights, double first, double second) const {
        const double sum = bends ? weights.of(first, second, 0) : weights.of(0, 0, first);
        return sum / static_cast<double>(count);
    }
};

template <class S>
__global__ void __launch_bounds__(kFinishThreads) game_kernel(losses::Game game, LogitSums real, LogitSums fake, S* discriminator, S* generator) {
    const double fake_first = added_up(fake.of_spans, fake.spans, 2), fake_second = added_up(fake.of_spans + 1, fake.spans, 2);
    const double real_first = added_up(real.of_spans, real.spans, 2), real_second = added_up(real.of_spans + 1, real.spans, 2);
    if (threadIdx.x != 0) return;
    double term = fake.mean(game.fake_for_discriminator, fake_first, fake_second);
    if (real.spans > 0) term += real.mean(game.real_for_discriminator, real_first, real_second);
    *discriminator = static_cast<S>(term);
    *generator = static_cast<S>(fake.mean(game.fake_for_generator, fake_first, fake_second));
}

template <class S>
__device__ __forceinline__ double number(const void* place) {
    return place == nullptr ? 0 : static_cast<double>(*static_cast<const S*>(place));
}

template <class S>
__global__ void __launch_bounds__(kThreads) logit_gradient_kernel(Input logits, Cut cut, Weights for_discriminator, Weights for_generator,
                                                                  const void* grad_discriminator, const void* grad_generator,
                                                                  Output of) {
    const Span span = own_span(cut);
    const double each = 1 / static_cast<double>(cut.columns);
    const Weights weights = for_discriminator.times(number<S>(grad_discriminator) * each)
                                .plus(for_generator.times(number<S>(grad_generator) * each));
    const S of_plus = static_cast<S>(weights.softplus), of_minus = static_cast<S>(weights.softplus_minus);
    for (std::int64_t i = span.start + threadIdx.x * kFour; i < span.end; i += kThreads * kFour) {
        S x[kFour], found[kFour];
        load(logits, i, span.end, x);
        for (int k = 0; k < kFour; ++k) {
            found[k] = static_cast<S>(weights.plain);
            if (!weights.bends()) continue;
            const S power = exp_of(x[k] < 0 ? x[k] : -x[k]), nearer = 1 / (1 + power), farther = power * nearer;
            found[k] = x[k] < 0 ? of_plus * farther - of_minus * nearer : of_plus * nearer - of_minus * farther;
        }
        store(of, i, span.end, found);
    }
}

cudaStream_t stream(const Queue& queue) { return reinterpret_cast<cudaStream_t>(queue.stream); }

// Calls fn with a number of the type that results have: float64 where the input is.
template <class Fn>
void in_width_of(const Input& input, const Fn& fn) {
    if (input.type == Type::float64) {
        fn(double{});
    } else {
        fn(float{});
    }
}

template <Pair kPair>
using Constant = std::integral_constant<Pair, kPair>;

// Calls fn with the pair as a constant.
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

Cut whole(const Matrices& m) { return {1, m.rows * m.columns}; }

template <class S>
LogitSums logit_sums(const Queue& queue, const Logits& logits, bool bends, double* of_spans) {
    if (logits.input.data == nullptr) return {of_spans, 0, 0, bends};
    const Cut cut(1, logits.count);
    launch("the kernel that adds up logits", logit_kernel<S>, cut.grid(), dim3(kThreads), 0, stream(queue), logits.input, cut,
           bends, of_spans);
    return {of_spans, cut.spans(), logits.count, bends};
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
    // d‖d‖₂ = d / ‖d‖₂, and the pair's own gradient is 2d.
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

void game_forward(Queue queue, const Game& game, Logits real, Logits fake, void* discriminator, void* generator) {
    const OnDevice on(queue.device);
    in_width_of(fake.input, [&](auto number) {
        using S = decltype(number);
        const bool bends = game.fake_for_discriminator.bends() || game.fake_for_generator.bends();
        const LogitSums of_fake = logit_sums<S>(queue, fake, bends, queue.room);
        const LogitSums of_real =
            logit_sums<S>(queue, real, game.real_for_discriminator.bends(), queue.room + 2 * of_fake.spans);
        launch("the kernel of both players' terms", game_kernel<S>, dim3(1), dim3(kFinishThreads), 0, stream(queue), game, of_real,
               of_fake, static_cast<S*>(discriminator), static_cast<S*>(generator));
    });
}

void game_backward(Queue queue, const Game& game, Logits real, Logits fake, const void* grad_discriminator,
                   const void* grad_generator, Output of_real, Output of_fake) {
    const OnDevice on(queue.device);
    in_width_of(fake.input, [&](auto number) {
        const auto of_logits = [&](const Logits& logits, const Weights& for_discriminator, const Weights& for_generator, Output of) {
            if (of.data == nullptr) return;
            const Cut cut(1, logits.count);
            launch("the kernel of logits' gradients", logit_gradient_kernel<decltype(number)>, cut.grid(), dim3(kThreads), 0,
                   stream(queue), logits.input, cut, for_discriminator, for_generator, grad_discriminator, grad_generator, of);
        };
        of_logits(fake, game.fake_for_discriminator, game.fake_for_generator, of_fake);
        of_logits(real, game.real_for_discriminator, Weights{}, of_real);
    });
}

}  // namespace gantk::cuda
