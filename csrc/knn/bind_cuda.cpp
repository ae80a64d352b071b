// The CUDA kNN kernels for Python; pointers as ints, checked in gantk/ops/knn/cuda.py.
#include <pybind11/pybind11.h>

#include "knn/knn_cuda.h"

namespace py = pybind11;

namespace {

using gantk::cuda::ByteRows;
using gantk::cuda::NearLists;
using Address = std::uintptr_t;

ByteRows rows(Address bytes, Address norms, std::int64_t count) {
    return {reinterpret_cast<const std::uint8_t*>(bytes), reinterpret_cast<const std::int32_t*>(norms), count};
}

NearLists lists(Address thresholds, Address lists, Address counts, std::int64_t capacity) {
    return {reinterpret_cast<const std::int32_t*>(thresholds), reinterpret_cast<std::int64_t*>(lists),
            reinterpret_cast<std::int32_t*>(counts), capacity};
}

}  // namespace

void bind_knn_cuda(py::module_& m) {
    m.attr("knn_tile") = gantk::cuda::kTile;
    m.attr("knn_band") = gantk::cuda::kBand * gantk::cuda::kTile;
    m.attr("knn_largest_dimension") = gantk::cuda::kLargestDimension;
    m.def(
        "knn_dense",
        [](Address row_bytes, Address row_norms, std::int64_t row_count, Address column_bytes, Address column_norms,
           std::int64_t column_count, std::int64_t stride, Address distances, std::int64_t distances_stride, int device,
           Address stream) {
            gantk::cuda::knn_dense(rows(row_bytes, row_norms, row_count), rows(column_bytes, column_norms, column_count), stride,
                                   reinterpret_cast<std::int32_t*>(distances), distances_stride, device, stream);
        },
        py::call_guard<py::gil_scoped_release>(), "Squared distances of rows to columns.");
    m.def(
        "knn_collect",
        [](Address row_bytes, Address row_norms, std::int64_t row_count, Address column_bytes, Address column_norms,
           std::int64_t column_count, std::int64_t stride, Address thresholds, Address near, Address counts,
           std::int64_t capacity, int device, Address stream) {
            gantk::cuda::knn_collect(rows(row_bytes, row_norms, row_count), rows(column_bytes, column_norms, column_count),
                                     stride, lists(thresholds, near, counts, capacity), device, stream);
        },
        py::call_guard<py::gil_scoped_release>(), "The columns within every row's threshold.");
    m.def(
        "knn_collect_pairs",
        [](Address bytes, Address norms, std::int64_t count, std::int64_t first, std::int64_t last, std::int64_t stride,
           Address thresholds, Address near, Address counts, std::int64_t capacity, int device, Address stream) {
            gantk::cuda::knn_collect_pairs(rows(bytes, norms, count), first, last, stride,
                                           lists(thresholds, near, counts, capacity), device, stream);
        },
        py::call_guard<py::gil_scoped_release>(), "The same among one set of points, every pair once.");
}
