#include "losses/losses.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu_features.h"
#include "losses/blocks.h"

namespace gantk::losses {
namespace {

// With fewer rows per thread than this, threads share rows; all norms are then computed before any gradient.
constexpr int64_t kRowsPerThread = 4;

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

void scale(float* x, float factor, float* opposite, int64_t n) { kernels().scale_float32(x, factor, opposite, n); }
void scale(double* x, double factor, double* opposite, int64_t n) { kernels().scale_float64(x, factor, opposite, n); }

std::vector<double> row_sums(int threads, Pair pair, const Matrices& m) {
    const Compared compared(kernels(), pair, m.a, m.b);
    const Cut cut(m.rows, m.columns);
    std::vector<double> of_spans(static_cast<size_t>(cut.spans));
    cut.for_each(threads, [&](int64_t span, int64_t, int64_t start, int64_t end) {
        of_spans[static_cast<size_t>(span)] = compared.sum(start, end);
    });
    if (cut.spans_per_row == 1) return of_spans;
    std::vector<double> sums(static_cast<size_t>(m.rows));
    for (int64_t span = 0; span < cut.spans; ++span) {
        sums[static_cast<size_t>(span / cut.spans_per_row)] += of_spans[static_cast<size_t>(span)];
    }
    return sums;
}

void prepare(const Gradients& of, const Matrices& m) {
    ask_for_large_pages(of.of_a, m.rows * m.columns);
    ask_for_large_pages(of.of_b, m.rows * m.columns);
}

// scale(row) × the gradients of the row's sum.
template <typename Scale>
void row_gradients(int threads, Pair pair, const Matrices& m, const Gradients& of, const Scale& scale) {
    if (!of.of_a.data && !of.of_b.data) return;
    const Compared compared(kernels(), pair, m.a, m.b);
    prepare(of, m);
    const Cut cut(m.rows, m.columns);
    cut.for_each(threads, [&](int64_t, int64_t row, int64_t start, int64_t end) {
        compared.gradients(start, end, scale(row), of);
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

double total(int threads, const Term& term) {
    return term.factor * row_sums(threads, term.pair, as_one_row(term.matrices))[0];
}

void total_gradients(int threads, const Term& term, double grad, const Gradients& of) {
    row_gradients(threads, term.pair, as_one_row(term.matrices), of, [&](int64_t) { return term.factor * grad; });
}

double norm_of(Pair pair, double sum) { return pair == Pair::square ? std::sqrt(sum) : sum; }

// The norm as the backward reads it: stored norms are rounded to float32 unless the input is float64.
double rounded(double norm, Type of_input) { return of_input == Type::float64 ? norm : static_cast<float>(norm); }

// The gradient of ‖d‖₂ is d / ‖d‖₂; the pair's own is 2d.
double gradient_scale(Pair pair, double per_row, double norm) {
    if (pair != Pair::square) return per_row;
    return norm == 0 ? 0 : per_row / (2 * norm);
}

void put_norms(Pair pair, const Matrices& m, const std::vector<double>& sums, void* norms, void* loss) {
    in_width_of(m.a, [&](auto number) {
        using S = decltype(number);
        double total = 0;
        int64_t row = 0;
        for (const double sum : sums) {
            const double norm = norm_of(pair, sum);
            static_cast<S*>(norms)[row++] = static_cast<S>(norm);
            total += norm;
        }
        put<S>(loss, total / static_cast<double>(m.rows));
    });
}

}  // namespace

void norm_forward(int threads, Pair pair, const Matrices& m, void* norms, void* loss) {
    put_norms(pair, m, row_sums(threads, pair, m), norms, loss);
}

void norm_forward_with_gradients(int threads, Pair pair, const Matrices& m, void* norms, void* loss, Gradients of) {
    const double per_row = 1 / static_cast<double>(m.rows);
    const auto scale = [&](double sum) { return gradient_scale(pair, per_row, rounded(norm_of(pair, sum), m.a.type)); };
    std::vector<double> sums;
    if (m.rows < kRowsPerThread * threads) {
        sums = row_sums(threads, pair, m);
        row_gradients(threads, pair, m, of, [&](int64_t row) { return scale(sums[static_cast<size_t>(row)]); });
    } else {
        sums.resize(static_cast<size_t>(m.rows));
        const Compared compared(kernels(), pair, m.a, m.b);
        prepare(of, m);
        const Cut cut(m.rows, m.columns);
        cut.for_each_row(threads, [&](int64_t row) {
            double sum = 0;
            cut.for_each_of_row(row, [&](int64_t start, int64_t end) { sum += compared.sum(start, end); });
            cut.for_each_of_row_backwards(  // what was read last is still in the caches
                row, [&](int64_t start, int64_t end) { compared.gradients(start, end, scale(sum), of); });
            sums[static_cast<size_t>(row)] = sum;
        });
    }
    put_norms(pair, m, sums, norms, loss);
}

void norm_backward(int threads, Pair pair, const Matrices& m, const void* norms, const void* grad, Output of_a,
                   Output of_b) {
    in_width_of(m.a, [&](auto number) {
        using S = decltype(number);
        const double per_row = wide<S>(grad) / static_cast<double>(m.rows);
        row_gradients(threads, pair, m, {of_a, of_b},
                      [&](int64_t row) { return gradient_scale(pair, per_row, static_cast<const S*>(norms)[row]); });
    });
}

void scale_gradient(int threads, Output gradient, int64_t count, double factor, Output opposite) {
    ask_for_large_pages(opposite, count);
    in_width_of({gradient.data, gradient.type}, [&](auto number) {
        using S = decltype(number);
        auto* const own = static_cast<S*>(gradient.data);
        auto* const other = static_cast<S*>(opposite.data);
        const S times = static_cast<S>(factor);
        Cut(1, count).for_each(threads, [&](int64_t, int64_t, int64_t start, int64_t end) {
            scale(own + start, times, other ? other + start : nullptr, end - start);
        });
    });
}

void two_terms_forward(int threads, const Term& first, const Term& second, void* loss) {
    in_width_of(first.matrices.a, [&](auto number) {
        using S = decltype(number);
        put<S>(loss, total(threads, first) + total(threads, second));
    });
}

void two_terms_backward(int threads, const Term& first, const Term& second, const void* grad, Gradients of_first,
                        Gradients of_second) {
    in_width_of(first.matrices.a, [&](auto number) {
        using S = decltype(number);
        total_gradients(threads, first, wide<S>(grad), of_first);
        total_gradients(threads, second, wide<S>(grad), of_second);
    });
}

}  // namespace gantk::losses
