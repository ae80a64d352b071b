// Divides tensors for the kernels: into blocks of one type, and into spans that threads share.
#pragma once

#include <algorithm>
#include <cstdint>

#include "losses/losses.h"
#include "losses/memory.h"
#include "parallel.h"

namespace gantk::losses {

// Minimum number of elements per task. A multiple of kBlock, and fixed, because results depend on it.
constexpr int64_t kSpan = 16 * kBlock;

// Starting a thread takes about as long as processing this many elements.
constexpr int64_t kThreadedElements = 1 << 17;

inline int useful_threads(int threads, int64_t elements) { return elements < kThreadedElements ? 1 : threads; }

// The address of an element.
inline const void* address(const Input& input, int64_t index) {
    return static_cast<const char*>(input.data) + index * bytes_of(input.type);
}
inline void* address(const Output& output, int64_t index) {
    return output.data ? static_cast<char*>(output.data) + index * bytes_of(output.type) : nullptr;
}

// Elements [start, start + n) of an input of floats or halves; halves are converted into the buffer.
inline const float* elements(const Kernels& k, const Input& input, int64_t start, int64_t n, float* buffer) {
    const void* from = address(input, start);
    if (input.type == Type::float32) return static_cast<const float*>(from);
    (input.type == Type::bfloat16 ? k.widen_bfloat16 : k.widen_float16)(static_cast<const uint16_t*>(from), buffer, n);
    return buffer;
}

// Where their gradient is computed: in place, in a buffer that `finish` converts, or nowhere.
inline float* place(const Output& output, int64_t start, float* buffer) {
    if (!output.data) return nullptr;
    return output.type == Type::float32 ? static_cast<float*>(output.data) + start : buffer;
}

inline void finish(const Kernels& k, const Output& output, int64_t start, int64_t n, const float* buffer) {
    if (!output.data || output.type == Type::float32) return;
    auto* to = static_cast<uint16_t*>(address(output, start));
    (output.type == Type::bfloat16 ? k.narrow_bfloat16 : k.narrow_float16)(buffer, to, n);
}

// The rows of a matrix, divided into spans; a task computes one sum per span.
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
        in_tasks(threads, spans, spans_per_task, [&](int64_t span) {
            const int64_t row = span / spans_per_row, from = span % spans_per_row * kSpan;
            fn(span, row, row * columns + from, row * columns + std::min(columns, from + kSpan));
        });
    }

    // fn(row); each task does whole rows.
    template <typename Fn>
    void for_each_row(int threads, const Fn& fn) const {
        in_tasks(threads, rows, spans_per_row == 1 ? spans_per_task : 1, fn);
    }

    // fn(first element, one past the last) for the spans of one row in their order, or from the last to the first.
    template <typename Fn>
    void for_each_of_row(int64_t row, const Fn& fn) const {
        const int64_t end = (row + 1) * columns;
        for (int64_t start = row * columns; start < end; start += kSpan) fn(start, std::min(end, start + kSpan));
    }
    template <typename Fn>
    void for_each_of_row_backwards(int64_t row, const Fn& fn) const {
        for (int64_t from = (spans_per_row - 1) * kSpan; from >= 0; from -= kSpan) {
            fn(row * columns + from, row * columns + std::min(columns, from + kSpan));
        }
    }

   private:
    template <typename Fn>
    void in_tasks(int threads, int64_t count, int64_t per_task, const Fn& fn) const {
        const int64_t tasks = (count + per_task - 1) / per_task;
        parallel_for(useful_threads(threads, rows * columns), tasks, [&](int64_t task, int) {
            const int64_t end = std::min(count, (task + 1) * per_task);
            for (int64_t item = task * per_task; item < end; ++item) fn(item);
        });
    }
};

// Two tensors that are compared element by element, over ranges. If both have one type, its kernels read and write them
// directly; floats with halves, the only mixture, go through float32 buffers.
class Compared {
   public:
    Compared(const Kernels& kernels, Pair pair, const Input& a, const Input& b)
        : kernels_(kernels),
          a_(a),
          b_(b),
          alike_(a.type == b.type),
          sum_(of(a, b).sum[static_cast<int>(pair)]),
          gradient_(of(a, b).gradient[static_cast<int>(pair)]) {}

    double sum(int64_t start, int64_t end) const {
        double total = 0;
        if (alike_) {
            blocks(start, end, [&](int64_t i, int64_t n) { total += sum_(address(a_, i), address(b_, i), n); });
        } else {
            alignas(64) float a[kBlock], b[kBlock];
            blocks(start, end, [&](int64_t i, int64_t n) {
                total += sum_(elements(kernels_, a_, i, n, a), elements(kernels_, b_, i, n, b), n);
            });
        }
        return total;
    }

    void gradients(int64_t start, int64_t end, double scale, const Gradients& to) const {
        if (alike_) {
            blocks(start, end, [&](int64_t i, int64_t n) {
                gradient_(address(a_, i), address(b_, i), scale, address(to.of_a, i), address(to.of_b, i), n);
            });
        } else {
            alignas(64) float a[kBlock], b[kBlock], to_a[kBlock], to_b[kBlock];
            blocks(start, end, [&](int64_t i, int64_t n) {
                gradient_(elements(kernels_, a_, i, n, a), elements(kernels_, b_, i, n, b), scale,
                          place(to.of_a, i, to_a), place(to.of_b, i, to_b), n);
                finish(kernels_, to.of_a, i, n, to_a);
                finish(kernels_, to.of_b, i, n, to_b);
            });
        }
    }

   private:
    const Comparison& of(const Input& a, const Input& b) const {
        return kernels_.of_type[static_cast<int>(a.type == b.type ? a.type : Type::float32)];
    }

    template <typename Fn>
    static void blocks(int64_t start, int64_t end, const Fn& fn) {
        for (int64_t i = start; i < end; i += kBlock) fn(i, std::min(kBlock, end - i));
    }

    const Kernels& kernels_;
    Input a_, b_;
    bool alike_;
    double (*sum_)(const void*, const void*, int64_t);
    void (*gradient_)(const void*, const void*, double, void*, void*, int64_t);
};

}  // namespace gantk::losses
