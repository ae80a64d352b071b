// The CUDA kNN kernels for Python. Every argument is checked here; device −1 is the CPU, where tests emulate a GPU.
#include <pybind11/pybind11.h>

#include "knn/knn_cuda.h"
#include "tensor.h"

namespace py = pybind11;

namespace {

using gantk::Number;
using gantk::refuse;
using gantk::Tensor;
using gantk::cuda::ByteRows;
using gantk::cuda::NearLists;
using py::handle;
using Stream = std::uintptr_t;

struct Rows {
    ByteRows rows;
    std::int64_t stride;
};

Rows rows_of(int device, const handle& bytes, const handle& norms) {
    const Tensor data("rows", bytes), squares("norms", norms);
    data.on(device).of(Number::uint8).contiguous();
    if (data.shape().size() != 2) refuse(data.described() + " is not [N, stride]");
    const std::int64_t count = data.shape()[0], stride = data.shape()[1];
    if (stride > gantk::cuda::kLargestDimension) refuse(data.described() + " has too many dimensions for 32 bits");
    squares.on(device).of(Number::int32).shaped({count}).contiguous();
    return {{static_cast<const std::uint8_t*>(data.data()), static_cast<const std::int32_t*>(squares.data()), count},
            stride};
}

void same_stride(const Rows& rows, const Rows& columns) {
    if (rows.stride != columns.stride) refuse("rows and columns have different dimensions");
}

NearLists lists_of(int device, std::int64_t rows, const handle& thresholds, const handle& lists, const handle& counts) {
    const Tensor limits("thresholds", thresholds), near("lists", lists), found("counts", counts);
    limits.on(device).of(Number::int32).shaped({rows}).contiguous();
    found.on(device).of(Number::int32).shaped({rows}).contiguous();
    near.on(device).of(Number::int64).contiguous();
    if (near.shape().size() != 2 || near.shape()[0] != rows) refuse(near.described() + " is not one list per row");
    return {static_cast<const std::int32_t*>(limits.data()), static_cast<std::int64_t*>(near.data()),
            static_cast<std::int32_t*>(found.data()), near.shape()[1]};
}

void dense(const handle& row_bytes, const handle& row_norms, const handle& column_bytes, const handle& column_norms,
           const handle& distances, int device, Stream stream) {
    const Rows rows = rows_of(device, row_bytes, row_norms), columns = rows_of(device, column_bytes, column_norms);
    same_stride(rows, columns);
    const Tensor found("distances", distances);
    found.on(device).of(Number::int32).shaped({rows.rows.count, columns.rows.count}).contiguous();
    const py::gil_scoped_release released;
    gantk::cuda::knn_dense(rows.rows, columns.rows, rows.stride, static_cast<std::int32_t*>(found.data()),
                           columns.rows.count, device, stream);
}

void collect(const handle& row_bytes, const handle& row_norms, const handle& column_bytes, const handle& column_norms,
             const handle& thresholds, const handle& lists, const handle& counts, int device, Stream stream) {
    const Rows rows = rows_of(device, row_bytes, row_norms), columns = rows_of(device, column_bytes, column_norms);
    same_stride(rows, columns);
    const NearLists near = lists_of(device, rows.rows.count, thresholds, lists, counts);
    const py::gil_scoped_release released;
    gantk::cuda::knn_collect(rows.rows, columns.rows, rows.stride, near, device, stream);
}

void collect_pairs(const handle& bytes, const handle& norms, std::int64_t first, std::int64_t last,
                   const handle& thresholds, const handle& lists, const handle& counts, int device, Stream stream) {
    const Rows points = rows_of(device, bytes, norms);
    const NearLists near = lists_of(device, points.rows.count, thresholds, lists, counts);
    const py::gil_scoped_release released;
    gantk::cuda::knn_collect_pairs(points.rows, first, last, points.stride, near, device, stream);
}

}  // namespace

void bind_knn_cuda(py::module_& m) {
    m.attr("knn_tile") = gantk::cuda::kTile;
    m.attr("knn_band") = gantk::cuda::kBand * gantk::cuda::kTile;
    m.attr("knn_largest_dimension") = gantk::cuda::kLargestDimension;
    m.def("knn_dense", &dense, "Squared distances of rows to columns.");
    m.def("knn_collect", &collect, "The columns within every row's threshold.");
    m.def("knn_collect_pairs", &collect_pairs, "The same among one set of points, every pair once.");
}
