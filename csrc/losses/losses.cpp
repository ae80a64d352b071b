#include "losses/losses.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu_features.h"
#include "losses/memory.h"
#include "parallel.h"

namespace gantk::losses {
namespace {

// Elements whose partial sums are one task's at least. A multiple of kBlock, and fixed: sums follow it.
constexpr int64_t kSpan = 16 * kBlock;

// Starting a thread takes as long as the work on about so many elements.
constexpr int64_t kThreadedElements = 1 << 17;

const Kernels& kernels() {
    switch (chosen()) {
#if defined(GANTK_HAS_AVX512VNNI)
        case Level::amx:
        case Level::avx512vnni:
            return kAvx512;
#endif
#if defined(GANTK_HAS_AVX2)
        case Level::avx2:
            return kAvx2;
#endif
        default:
            return kPortable;
    }
}

template <typename S>
const Arithmetic<S>& arithmetic(const Kernels& k);
template <>
const Arithmetic<float>& arithmetic<float>(const Kernels& k) {
    return k.single;
}
template <>
const Arithmetic<double>& arithmetic<double>(const Kernels& k) {
    return k.twofold;
}

int useful_threads(int threads, int64_t elements) {
    return elements < kThreadedElements ? 1 : threads;
}

// Elements [start, start + n) of an input, widened into the buffer where they are not of type S already.
template <typename S>
const S* elements(const Kernels&, const Input& input, int64_t start, int64_t, S*) {
    return static_cast<const S*>(input.data) + start;
}
template <>
const float* elements(const Kernels& k, const Input& input, int64_t start, int64_t n, float* buffer) {
    if (input.type == Type::float32) return static_cast<const float*>(input.data) + start;
    const auto* from = static_cast<const uint16_t*>(input.data) + start;
    (input.type == Type::bfloat16 ? k.widen_bfloat16 : k.widen_float16)(from, buffer, n);
    return buffer;
}

// Where a gradient is computed: in place, in a buffer that `finish` narrows, or nowhere.
template <typename S>
S* place(const Output& output, int64_t start, S* buffer) {
    if (!output.data) return nullptr;
    if (output.type != Type::float32 && output.type != Type::float64) return buffer;
    return static_cast<S*>(output.data) + start;
}

template <typename S>
void finish(const Kernels&, const Output&, int64_t, int64_t, const S*) {}
template <>
void finish(const Kernels& k, const Output& output, int64_t start, int64_t n, const float* buffer) {
    if (!output.data || output.type == Type::float32) return;
    auto* to = static_cast<uint16_t*>(output.data) + start;
    (output.type == Type::bfloat16 ? k.narrow_bfloat16 : k.narrow_float16)(buffer, to, n);
}

// The rows of a matrix cut into spans: what one task does, and whose sums it leaves.
struct Cut {
    int64_t rows, columns, spans_per_row, spans, spans_per_task;

    Cut(int64_t rows, int64_t columns)
        : rows(rows),
          columns(columns),
          spans_per_row(std::max<int64_t>(1, (columns + kSpan - 1) / kSpan)),
          spans(rows * spans_per_row),
          spans_per_task(std::max<int64_t>(1, kSpan / std::max<int64_t>(columns, 1))) {}

    // fn(span, row, first element, one past the last), elements counted over the whole matrix.
    template <typename Fn>
    void for_each(int threads, const Fn& fn) const {
        const int64_t tasks = (spans + spans_per_task - 1) / spans_per_task;
        parallel_for(useful_threads(threads, rows * columns), tasks, [&](int64_t task, int) {
            const int64_t end = std::min(spans, (task + 1) * spans_per_task);
            for (int64_t span = task * spans_per_task; span < end; ++span) {
                const int64_t row = span / spans_per_row, from = span % spans_per_row * kSpan;
                fn(span, row, row * columns + from, row * columns + std::min(columns, from + kSpan));
            }
        });
    }
};

template <typename S>
std::vector<double> row_sums(int threads, Pair pair, const Matrices& m) {
    const Kernels& k = kernels();
    const auto sum = arithmetic<S>(k).sum[static_cast<int>(pair)];
    const Cut cut(m.rows, m.columns);
    std::vector<double> of_spans(static_cast<size_t>(cut.spans));
    cut.for_each(threads, [&](int64_t span, int64_t, int64_t start, int64_t end) {
        alignas(64) S a[kBlock], b[kBlock];
        double total = 0;
        for (int64_t i = start; i < end; i += kBlock) {
            const int64_t n = std::min(kBlock, end - i);
            total += sum(elements<S>(k, m.a, i, n, a), elements<S>(k, m.b, i, n, b), n);
        }
        of_spans[static_cast<size_t>(span)] = total;
    });
    if (cut.spans_per_row == 1) return of_spans;
    std::vector<double> sums(static_cast<size_t>(m.rows));
    for (int64_t span = 0; span < cut.spans; ++span) {
        sums[static_cast<size_t>(span / cut.spans_per_row)] += of_spans[static_cast<size_t>(span)];
    }
    return sums;
}

// scale(row) × the gradients of the row's sum.
template <typename S, typename Scale>
void row_gradients(int threads, Pair pair, const Matrices& m, const Gradients& of, const Scale& scale) {
    if (!of.of_a.data && !of.of_b.data) return;
    const Kernels& k = kernels();
    const auto gradient = arithmetic<S>(k).gradient[static_cast<int>(pair)];
    ask_for_large_pages(of.of_a, m.rows * m.columns);
    ask_for_large_pages(of.of_b, m.rows * m.columns);
    const Cut cut(m.rows, m.columns);
    cut.for_each(threads, [&](int64_t, int64_t row, int64_t start, int64_t end) {
        alignas(64) S a[kBlock], b[kBlock], to_a[kBlock], to_b[kBlock];
        const S factor = scale(row);
        for (int64_t i = start; i < end; i += kBlock) {
            const int64_t n = std::min(kBlock, end - i);
            gradient(elements<S>(k, m.a, i, n, a), elements<S>(k, m.b, i, n, b), factor, place<S>(of.of_a, i, to_a),
                     place<S>(of.of_b, i, to_b), n);
            finish<S>(k, of.of_a, i, n, to_a);
            finish<S>(k, of.of_b, i, n, to_b);
        }
    });
}

template <typename S>
S wide(const void* number) {
    return number ? *static_cast<const S*>(number) : S{};
}

template <typename S>
void put(void* place, double number) {
    *static_cast<S*>(place) = static_cast<S>(number);
}

template <typename S>
double total(int threads, const Term& term) {
    // One row: the sum is over everything.
    const Matrices all{term.matrices.a, term.matrices.b, 1, term.matrices.rows * term.matrices.columns};
    return term.factor * row_sums<S>(threads, term.pair, all)[0];
}

template <typename S>
void total_gradients(int threads, const Term& term, double grad, const Gradients& of) {
    const Matrices all{term.matrices.a, term.matrices.b, 1, term.matrices.rows * term.matrices.columns};
    const S scale = static_cast<S>(term.factor * grad);
    row_gradients<S>(threads, term.pair, all, of, [=](int64_t) { return scale; });
}

// Calls fn with a number of the type that results have: float64 where the input is.
template <typename Fn>
void in_width_of(const Input& input, const Fn& fn) {
    if (input.type == Type::float64) {
        fn(double{});
    } else {
        fn(float{});
    }
}

struct Sums {
    double softplus = 0, softplus_minus = 0, plain = 0;

    void add(const Sums& other) {
        softplus += other.softplus;
        softplus_minus += other.softplus_minus;
        plain += other.plain;
    }

    double mean(const Weights& weights, int64_t count) const {
        return weights.of(softplus, softplus_minus, plain) / static_cast<double>(count);
    }
};

template <typename S>
Sums logit_sums(int threads, const Logits& logits, bool bends) {
    const Kernels& k = kernels();
    const Arithmetic<S>& compute = arithmetic<S>(k);
    const Cut cut(1, logits.count);
    std::vector<Sums> of_spans(static_cast<size_t>(cut.spans));
    cut.for_each(threads, [&](int64_t span, int64_t, int64_t start, int64_t end) {
        alignas(64) S buffer[kBlock];
        for (int64_t i = start; i < end; i += kBlock) {
            const int64_t n = std::min(kBlock, end - i);
            const S* x = elements<S>(k, logits.input, i, n, buffer);
            Sums found;
            if (bends) {
                compute.softplus_sums(x, n, &found.softplus, &found.softplus_minus);
            } else {
                found.plain = compute.plain_sum(x, n);
            }
            of_spans[static_cast<size_t>(span)].add(found);
        }
    });
    Sums sums;
    for (const Sums& part : of_spans) sums.add(part);
    return sums;
}

template <typename S>
void logit_gradient(int threads, const Logits& logits, const Weights& weights, const Output& of) {
    if (!of.data) return;
    const Kernels& k = kernels();
    const Cut cut(1, logits.count);
    cut.for_each(threads, [&](int64_t, int64_t, int64_t start, int64_t end) {
        alignas(64) S buffer[kBlock], found[kBlock];
        for (int64_t i = start; i < end; i += kBlock) {
            const int64_t n = std::min(kBlock, end - i);
            S* const into = place<S>(of, i, found);
            if (weights.bends()) {
                arithmetic<S>(k).sigmoids(elements<S>(k, logits.input, i, n, buffer), static_cast<S>(weights.softplus),
                                          static_cast<S>(weights.softplus_minus), into, n);
            } else {
                std::fill(into, into + n, static_cast<S>(weights.plain));
            }
            finish<S>(k, of, i, n, found);
        }
    });
}

}  // namespace

void norm_forward(int threads, Pair pair, const Matrices& m, void* norms, void* loss) {
    in_width_of(m.a, [&](auto number) {
        using S = decltype(number);
        double sum = 0;
        int64_t row = 0;
        for (const double of_row : row_sums<S>(threads, pair, m)) {
            const double norm = pair == Pair::square ? std::sqrt(of_row) : of_row;
            static_cast<S*>(norms)[row++] = static_cast<S>(norm);
            sum += norm;
        }
        put<S>(loss, sum / static_cast<double>(m.rows));
    });
}

void norm_backward(int threads, Pair pair, const Matrices& m, const void* norms, const void* grad, Output of_a,
                   Output of_b) {
    in_width_of(m.a, [&](auto number) {
        using S = decltype(number);
        const double per_row = wide<S>(grad) / static_cast<double>(m.rows);
        // d‖d‖₂ = d / ‖d‖₂, and the pair's own gradient is 2d.
        row_gradients<S>(threads, pair, m, {of_a, of_b}, [&](int64_t row) {
            const double norm = static_cast<const S*>(norms)[row];
            if (pair != Pair::square) return static_cast<S>(per_row);
            return static_cast<S>(norm == 0 ? 0 : per_row / (2 * norm));
        });
    });
}

void two_terms_forward(int threads, const Term& first, const Term& second, void* loss) {
    in_width_of(first.matrices.a, [&](auto number) {
        using S = decltype(number);
        put<S>(loss, total<S>(threads, first) + total<S>(threads, second));
    });
}

void two_terms_backward(int threads, const Term& first, const Term& second, const void* grad, Gradients of_first,
                        Gradients of_second) {
    in_width_of(first.matrices.a, [&](auto number) {
        using S = decltype(number);
        total_gradients<S>(threads, first, wide<S>(grad), of_first);
        total_gradients<S>(threads, second, wide<S>(grad), of_second);
    });
}

void game_forward(int threads, const Game& game, Logits real, Logits fake, void* discriminator, void* generator) {
    in_width_of(fake.input, [&](auto number) {
        using S = decltype(number);
        const Sums of_fake =
            logit_sums<S>(threads, fake, game.fake_for_discriminator.bends() || game.fake_for_generator.bends());
        double term = of_fake.mean(game.fake_for_discriminator, fake.count);
        if (real.input.data) {
            const Sums of_real = logit_sums<S>(threads, real, game.real_for_discriminator.bends());
            term += of_real.mean(game.real_for_discriminator, real.count);
        }
        put<S>(discriminator, term);
        put<S>(generator, of_fake.mean(game.fake_for_generator, fake.count));
    });
}

void game_backward(int threads, const Game& game, Logits real, Logits fake, const void* grad_discriminator,
                   const void* grad_generator, Output of_real, Output of_fake) {
    in_width_of(fake.input, [&](auto number) {
        using S = decltype(number);
        const double to_d = wide<S>(grad_discriminator), to_g = wide<S>(grad_generator);
        const double of_each = 1 / static_cast<double>(fake.count);
        logit_gradient<S>(threads, fake,
                          game.fake_for_discriminator.times(to_d * of_each)
                              .plus(game.fake_for_generator.times(to_g * of_each)),
                          of_fake);
        if (!real.input.data) return;
        logit_gradient<S>(threads, real,
                          game.real_for_discriminator.times(to_d / static_cast<double>(real.count)), of_real);
    });
}

}  // namespace gantk::losses
