#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <optional>

#include "../cpu_features.h"
#include "round.h"
#include "search.h"

namespace py = pybind11;

namespace {

using namespace gantk::knn;

const Kernel& kernel() {
    const Kernel* const kernels[] = {portable_kernel, avx2_kernel, avx512vnni_kernel, amx_kernel};
    for (int level = static_cast<int>(gantk::chosen()); level > 0; --level)
        if (kernels[level]) return *kernels[level];
    return *portable_kernel;
}

Poll poll_with(const std::optional<py::function>& progress) {
    return [&progress](double done) {
        const py::gil_scoped_acquire locked;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (progress) (*progress)(done);
    };
}

template <typename T>
T* at(uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

void search_bytes(uintptr_t references, int64_t count, int64_t dim, uintptr_t queries, int64_t query_count, int k,
                  int block, int threads, int sample, int rank, int capacity,
                  const std::optional<py::function>& progress, uintptr_t squared, uintptr_t indices) {
    const Task task{at<uint8_t>(references), count, dim, at<uint8_t>(queries), query_count, k, block, threads,
                    sample, rank, capacity};
    const Poll poll = poll_with(progress);
    const py::gil_scoped_release unlocked;
    const Scale scale = scale_of(dim);
    if (scale.shift == 0) return search(kernel(), task, Exact(), poll, at<double>(squared), at<int64_t>(indices));
    const Shifted screen(queries ? task.queries : task.references, task.references, static_cast<size_t>(dim), scale,
                         kernel().direct_u8);
    search(kernel(), task, screen, poll, at<double>(squared), at<int64_t>(indices));
}

template <typename T, typename Rounded<T>::Direct Kernel::*direct>
void search_floats(uintptr_t references, int64_t count, int64_t dim, uintptr_t queries, int64_t query_count, int k,
                   int block, int threads, int sample, int rank, int capacity, double margin, double rounding,
                   const std::optional<py::function>& progress, uintptr_t squared, uintptr_t indices) {
    const Poll poll = poll_with(progress);
    const py::gil_scoped_release unlocked;
    const T *const from = at<T>(references), *const to = queries ? at<T>(queries) : from;
    const Grid grid = grid_for(from, count, dim, threads);
    Rows reference_rows = round_to(grid, from, count, margin, threads);
    Rows query_rows;
    if (queries) query_rows = round_to(grid, to, query_count, margin, threads);
    std::vector<uint32_t> beyond;
    std::vector<uint8_t> marks;
    const double error = common_error(reference_rows.errors, beyond, marks);
    const std::vector<double>& query_errors = queries ? query_rows.errors : reference_rows.errors;
    Rounded<T> screen(to, from, static_cast<size_t>(dim), scale_of(dim), grid.step, query_errors.data(), error, rounding,
                      kernel().*direct);
    screen.unscreened = std::move(beyond);
    screen.outside = std::move(marks);
    const Task task{reference_rows.bytes.data(), count, dim, queries ? query_rows.bytes.data() : nullptr, query_count, k,
                    block, threads, sample, rank, capacity};
    search(kernel(), task, screen, poll, at<double>(squared), at<int64_t>(indices));
}

}  // namespace

void bind_knn(py::module_& m) {
    m.def("knn_u8", &search_bytes);
    m.def("knn_f32", &search_floats<float, &Kernel::direct_f32>);
    m.def("knn_f64", &search_floats<double, &Kernel::direct_f64>);
}
